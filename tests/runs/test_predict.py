"""Labels as a promise: the same by every way, all videos of a large folder accounted for, and nothing lost to a kill.

What else `vidtok predict` does is tried in test_fit.py, where there is a model that was fitted.
"""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import vidtok
from tests.conftest import ROOT
from tests.infer.test_predict import model
from tests.runs.commands import asks_for_the_defaults
from tests.video.clips import make_clip
from vidtok.build import build_feeding
from vidtok.cli import predict
from vidtok.config_io import find_config
from vidtok.models.create import create_model
from vidtok.runs.predict import list_videos, run_predict
from vidtok.runs.test import run_test
from vidtok.text.classes import read_classes

VIDEOS = Path(os.environ.get("VIDTOK_VIDEOS", ""))


def rows_of(file: Path) -> list[list[str]]:
    return list(csv.reader(file.read_text("utf-8").splitlines()))[1:]


def test_scores_are_the_same_in_python_by_command_and_in_a_test_of_the_same_views(motion, tmp_path):
    lists = {"train": "train.csv", "val": "val.csv", "classes": "classes.txt"}
    own = [f"data.{key}={motion / name}" for key, name in lists.items()]
    overrides = [*own, "data.size=32", "data.short_side=40", "data.workers=0", "eval.clips=2", "eval.crops=3"]
    overrides.append("eval.report=false")
    config = find_config("motion_vivit_tl8", overrides)
    classes = read_classes(motion / "classes.txt")
    net = create_model("casvit_xs", classes=classes, frames=8, size=32, feeding=build_feeding(config), seed=0)
    torch.nn.init.normal_(net.network.head.weight, generator=torch.Generator().manual_seed(0))
    net.normalise_by(mean=config.data.mean, std=config.data.std)
    net.save_pretrained(tmp_path / "model")
    run_test(tmp_path / "model", overrides, cfg="motion_vivit_tl8", out=tmp_path / "test")
    with np.load(tmp_path / "test" / "predictions.npz") as tested:
        wanted = dict(zip(tested["video"].tolist(), tested["scores"], strict=True))
    arguments = ["--model", str(tmp_path / "model"), str(motion / "val.csv"), "--out", str(tmp_path / "all.csv")]
    assert predict.run([*arguments, "--all-scores", "--clips", "2", "--crops", "3"]) == 0
    rows = rows_of(tmp_path / "all.csv")
    assert len(rows) == len(wanted) == 17
    loaded = vidtok.load(tmp_path / "model")
    for path, *scores in rows:
        by_test = next(own for name, own in wanted.items() if path.endswith(name))
        np.testing.assert_allclose(np.array(scores, float), by_test, rtol=1e-4, atol=1e-5)
        python = loaded.predict(path, clips=2, crops=3).scores.numpy()
        np.testing.assert_allclose(python, by_test, rtol=1e-4, atol=1e-5)
    assert max(map(np.ptp, zip(*wanted.values(), strict=True))) > 1e-3, "videos differ by more than ways may"


def test_videos_have_the_names_of_their_places(tmp_path):
    for name in ("one/a.mp4", "two/b/c.mp4", "d.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text(f"two/b/c.mp4 0\n{tmp_path / 'd.mp4'} 0\n../{tmp_path.name}/one/a.mp4 0\n")
    found = list_videos([tmp_path / "d.mp4", tmp_path / "two"], root=None)
    assert found == {tmp_path / "d.mp4": Path("d.mp4"), tmp_path / "two" / "b" / "c.mp4": Path("b/c.mp4")}
    names = list(list_videos([tmp_path / "list.txt"], root=None).values())
    assert names == [Path("two/b/c.mp4"), Path("d.mp4"), Path("a.mp4")]


def test_pictures_beside_videos_are_left_out_and_told(tmp_path, capsys):
    for name in ("mixed/a.mp4", "mixed/cover.JPG", "mixed/b/c.png", "mixed/d.mp4/1.jpg", "pictures/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = list_videos([tmp_path / "mixed"], root=None)
    assert list(found.values()) == [Path("a.mp4"), Path("d.mp4")], "a folder of frames is a video"
    assert "2 pictures beside videos are left out, such as b/c.png;" in capsys.readouterr().err
    named = [tmp_path / "pictures", tmp_path / "mixed" / "cover.JPG"]
    assert list(list_videos(named, root=None).values()) == [Path("e.png"), Path("cover.JPG")]
    assert not capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (VIDEOS / "weizmann4").is_dir(), reason="VIDTOK_VIDEOS has no weizmann4")
def test_two_hundred_real_files_of_which_twenty_are_broken(tmp_path, capsys):
    folder = tmp_path / "videos"
    folder.mkdir()
    model().save_pretrained(tmp_path / "model")
    small = sorted((VIDEOS / "fight2").rglob("*.mp4"), key=lambda path: path.stat().st_size)
    real = [*sorted((VIDEOS / "weizmann4").rglob("*.mp4")), *small][:180]
    for number, path in enumerate(real):
        shutil.copyfile(path, folder / f"{number:03} {path.name}")
    whole = real[0].read_bytes()
    for number in range(20):
        broken = [b"", b"no video\n" * 99, whole[:100], bytes(len(whole))][number % 4]
        (folder / f"{9 * number:03} broken.mp4").write_bytes(broken)
    assert predict.run(["--model", str(tmp_path / "model"), str(folder), "--out", str(tmp_path / "out.csv")]) == 1
    told = capsys.readouterr().out
    assert "180 videos labelled, 0 before, 20 failed" in told
    named = [line for line in told.splitlines() if line.startswith("failed: ")]
    assert sorted(f"{9 * number:03} broken.mp4" for number in range(20)) == sorted(
        line.partition("videos/")[2].partition(":")[0] for line in named
    )
    assert sorted(Path(row[0]).name for row in rows_of(tmp_path / "out.csv")) == sorted(
        f"{number:03} {path.name}" for number, path in enumerate(real)
    )


LOGGED = """
import sys
from vidtok.cli.console import main
from vidtok.data.dataset import VideoDataset

take, file = VideoDataset.__getitem__, sys.argv[1]
def logged(self, key):
    with open(file, "a") as log:
        print(self.records[key[0]].path, file=log)
    return take(self, key)
VideoDataset.__getitem__ = logged
sys.argv = ["vidtok", "predict", *sys.argv[2:]]
main()
"""
BATCH = 8


@pytest.mark.slow
def test_a_killed_command_repeats_at_most_one_batch(tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out.csv"
    folder.mkdir()
    first = make_clip(tmp_path / "a.mp4", frames=12)
    for number in range(60):
        shutil.copyfile(first, folder / f"{number:02}.mp4")
    model().save_pretrained(tmp_path / "model")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    arguments = ["--model", str(tmp_path / "model"), str(folder), "--out", str(out)]
    begun = subprocess.Popen(
        [sys.executable, "-c", LOGGED, str(logs[0]), *arguments], env=env, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not logs[0].exists() or len(logs[0].read_text().splitlines()) < 21:
            assert begun.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    written = [row[0] for row in rows_of(out)]
    subprocess.run([sys.executable, "-c", LOGGED, str(logs[1]), *arguments], env=env, check=True, capture_output=True)
    once, again = ({*log.read_text().splitlines()} for log in logs)
    assert len(once & again) <= BATCH
    assert len(once) < 60, "it was killed in the middle"
    assert not set(written) & again, "what was written is not labelled again"
    rows = rows_of(out)
    assert [row[0] for row in rows] == sorted(str(path) for path in folder.iterdir())
    assert len({tuple(row[1:]) for row in rows}) == 1


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("predict", run_predict, "--model", "a", "b.mp4")
