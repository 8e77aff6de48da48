"""Labels as a promise: the same by every way, all videos of a large folder accounted for, and nothing lost to a kill.

What else `vidtok predict` does is tried in test_fit.py, where there is a model that was fitted.
"""

import csv
import json
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
from vidtok.errors import ConfigError, DataError
from vidtok.infer.predict import Prediction
from vidtok.models.create import create_model
from vidtok.runs.parquet import read_parquet
from vidtok.runs.predict import Labelled, Rows, check_engine, list_videos, run_predict, write_all
from vidtok.runs.test import run_test
from vidtok.text.classes import read_classes
from vidtok.types import Failure

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


CLASSES = ("run", "jump", "sit")


def rows(out, *, all_scores=False, count=2, way="one"):
    way = {"weights": way}
    return Rows(out, classes=CLASSES, count=3 if all_scores else count, all_scores=all_scores, way=way)


def labelled(name, *scores):
    return Prediction(path=Path(name), scores=torch.tensor(scores), classes=CLASSES)


def written(out, *results, **options):
    file = rows(out, **options)
    for result in results:
        file.add(result)
    file.close()
    return file.known


ONE, TWO = labelled("a, b.mp4", 0.25, 0.5, 0.125), labelled("é.mp4", 0.75, 0.0, 1 / 3)


def test_rows_of_a_file_of_each_kind(tmp_path, capsys):
    out = tmp_path / "new" / "a.csv"
    assert written(out, ONE, TWO) == set()
    lines = ["video,class_1,score_1,class_2,score_2", '"a, b.mp4",jump,0.500000,run,0.250000']
    lines.append("é.mp4,run,0.750000,sit,0.333333")
    assert out.read_text("utf-8").splitlines() == lines
    assert written(tmp_path / "all.csv", ONE, all_scores=True) == set()
    assert (tmp_path / "all.csv").read_text() == 'video,run,jump,sit\n"a, b.mp4",0.250000,0.500000,0.125000\n'
    written(tmp_path / "a.jsonl", ONE, TWO)
    first, second = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    best = [{"class": "jump", "score": 0.5}, {"class": "run", "score": 0.25}]
    assert json.loads(first) == {"video": "a, b.mp4", "predictions": best}
    assert json.loads(second)["predictions"][1] == {"class": "sit", "score": 0.333333}
    assert "é.mp4" in second
    assert not capsys.readouterr().out
    written(None, ONE)
    assert capsys.readouterr().out == "a, b.mp4   jump 0.500   run 0.250\n"


@pytest.mark.parametrize("all_scores", [False, True])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_goes_on_behind_its_last_whole_row(tmp_path, name, all_scores):
    if name == "a.parquet":
        pytest.importorskip("pyarrow", reason="pip install 'vidtok[parquet]'")
    out = tmp_path / name
    text = tmp_path / ".a.parquet.rows.csv" if name == "a.parquet" else out
    file = rows(out, all_scores=all_scores)
    for result in (ONE, TWO):
        file.add(result)
    file._file.close()
    cut = text.read_bytes()[:-4]  # killed in the middle of the second row
    text.write_bytes(cut)
    for end in (b"\n", b",\n") if name == "a.csv" else ():
        text.write_bytes(cut[: cut.rfind(b",")] + end)
        assert written(out, all_scores=all_scores) == {"a, b.mp4"}
    assert written(out, TWO, all_scores=all_scores) == {"a, b.mp4"}
    assert written(out, all_scores=all_scores) == {"a, b.mp4", "é.mp4"}
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([f".{name}.way", name])
    if name == "a.parquet":
        columns, found = read_parquet(out)
        wanted = ["video", *CLASSES] if all_scores else ["video", "class_1", "score_1", "class_2", "score_2"]
        second = [0.75, 0.0, 1 / 3] if all_scores else ["run", 0.75, "sit", 1 / 3]
        assert columns == wanted
        assert list(found)[1] == [
            "é.mp4",
            *(each if isinstance(each, str) else pytest.approx(each, abs=1e-5) for each in second),
        ]
    with pytest.raises(ConfigError, match=r"has labels of 2 videos already, by another model, or with other clips or"):
        rows(out, all_scores=all_scores, way="two")
    (tmp_path / f".{name}.way").unlink()
    with pytest.raises(ConfigError, match="2 videos already, it is not known by what model; name another file"):
        rows(out, all_scores=all_scores)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "a.csv",
            "video,run,jump,sit\nx,1,0,0\n",
            "has other columns than these predictions, video, class_1, score_1, c",
        ),
        ("a.jsonl", "\n", "a.jsonl:1: not a prediction; name another file"),
        ("a.jsonl", '{"video": "x"}\n', "a.jsonl:1: not a prediction"),
        ("a.jsonl", "3\n", "a.jsonl:1: not a prediction"),
        ("a.jsonl", '{"video": "x", "predictions": [{"class": "run"}]}\n', "a.jsonl:1: .* of another --top"),
        (
            "a.jsonl",
            '{"video": "x", "predictions": [{"class": "run"}, {"class": "fly"}]}\n',
            "a.jsonl:1: a prediction of another model",
        ),
    ],
)
def test_files_of_others_are_left_as_they_are(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        rows(tmp_path / name)
    assert (tmp_path / name).read_text() == text


def test_failures_are_told_and_counted(tmp_path, capsys):
    def results():
        yield Failure(index=0, path=Path("b.mp4"), cause="b.mp4: no video", key="b.mp4")
        yield ONE

    file = rows(tmp_path / "a.csv")
    (failed,) = write_all(file, results(), total=3, before=1)
    file.close()
    assert failed.path == Path("b.mp4")
    assert "failed: b.mp4: no video" in "".join(capsys.readouterr())
    assert [row[0] for row in rows_of(tmp_path / "a.csv")] == ["a, b.mp4"]


def test_a_call_says_what_it_did_and_what_cannot_be(tmp_path, capsys):
    video, out = make_clip(tmp_path / "a.mp4", frames=6), tmp_path / "out.csv"
    net = model()
    assert run_predict(net, [video], top=2) == Labelled(done=1, before=0, failed=())
    told = capsys.readouterr().out.split()
    assert (told[0], len(told)) == (str(video), 1 + 2 * 2)
    (tmp_path / "b.mp4").touch()
    done = run_predict(net, [video, tmp_path / "b.mp4"], out=out)
    assert (done.done, done.before, [each.path.name for each in done.failed]) == (1, 0, ["b.mp4"])
    assert len(rows_of(out)[0]) == 1 + 2 * 3
    done = run_predict(net, [video, tmp_path / "b.mp4"], out=out)
    assert (done.done, done.before, len(done.failed)) == (0, 1, 1)
    for options, words in [
        ({"top": 0}, "--top and --clips count from 1, got 0 and 1"),
        ({"clips": 0}, "--top and --clips count from 1, got 5 and 0"),
        ({"out": "a.txt"}, r"--out a.txt: predictions are written as .csv, .jsonl or .parquet"),
        ({"actors": 1}, "`actors` is for `engine`=ray"),
        ({"ray_address": "auto"}, "`ray_address` is for `engine`=ray"),
    ]:
        with pytest.raises(ConfigError, match=words):
            run_predict(net, [video], **options)
    with pytest.raises(DataError, match=r"none.mp4: no such file or folder"):
        list_videos([tmp_path / "none.mp4"], root=None)


def test_actors_count_from_one(monkeypatch):
    monkeypatch.setattr("vidtok.runs.predict.check_ray", lambda: None)
    for actors in (None, 1):
        check_engine("ray", actors=actors, ray_address="auto")
    with pytest.raises(ConfigError, match="`actors` counts from 1, got 0"):
        check_engine("ray", actors=0, ray_address=None)
    check_engine("here", actors=None, ray_address=None)
