"""Training on lists of all kinds: broken videos, several labels, pictures, names that are not UTF-8."""

import itertools
import json
import os
import re

import pytest
from PIL import Image

from tests.conftest import ROOT, called, small_run, together, tool
from tests.runs.training import final, losses
from vidtok.cli import train
from vidtok.errors import VidtokError


@pytest.fixture(scope="module")
def bad_list(motion, tmp_path_factory):
    """Three good videos and two broken ones: text, and a file cut off in its header."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "cut.mp4").write_bytes((motion / "val" / "00000.mp4").read_bytes()[:60])
    good = [str(motion / "train" / f"{i:05d}.mp4") for i in range(3)]
    lines = [f"{good[0]} 0", "text.mp4 1", f"{good[1]} 1", "cut.mp4 2", f"{good[2]} 2"]
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def test_broken_videos_are_skipped_counted_and_named(motion, bad_list, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), f"data.train={bad_list}", "data.max_bad_fraction=0.5"]
    done = called("train", *arguments)
    assert done.returncode == 0, done.stderr
    assert "(1 of 5 so far)" in done.stdout
    assert "(2 of 5 so far)" in done.stdout
    assert "text.mp4" in done.stdout
    assert "cut.mp4" in done.stdout
    assert len(final(tmp_path / "run")["bad"]) == 2


def test_too_many_broken_videos_stop_the_run(motion, bad_list, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), f"data.train={bad_list}", "data.max_bad_fraction=0.3"]
    done = called("train", *arguments)
    assert done.returncode == 2
    assert "2 of 5 videos cannot be decoded, and 1 may fail (data.max_bad_fraction=0.3)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_process_whose_videos_all_fail_steps_along(motion, bad_list, tmp_path):
    # Batches of 2 on 2 processes: again and again one process has nothing but a broken video.
    settings = [f"data.train={bad_list}", "data.max_bad_fraction=0.5", "train.batch=2", "data.workers=0"]
    done = together("train", *small_run(motion, tmp_path / "run"), *settings, processes=2)
    assert done.returncode == 0, done.stderr
    assert len(final(tmp_path / "run")["bad"]) == 2


def two_labels(motion, folder):
    """The small set with a second label for every video, and a validation video that is none."""
    for name in ("train", "val"):
        lines = [line.rsplit(maxsplit=1) for line in (motion / f"{name}.csv").read_text().splitlines()]
        rows = [f"{motion / path} {label} {8 + (int(label) < 4)}\n" for path, label in lines]
        rows += [f"{folder / 'text.mp4'} 0 9\n"] * (name == "val")
        (folder / f"{name}.csv").write_text("".join(rows))
    (folder / "text.mp4").write_text("no video")
    (folder / "classes.txt").write_text((motion / "classes.txt").read_text() + "turns or grows\nmoves along\n")
    lists = [f"data.{name}={folder / name}.csv" for name in ("train", "val")]
    return [*lists, f"data.classes={folder}/classes.txt", "data.format=paths"]


def test_videos_with_several_labels(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments = [*small_run(motion, tmp_path / "run"), *two_labels(motion, tmp_path), "data.workers=0"]
    with pytest.raises(VidtokError, match=r"has 2 labels; one is needed\. For videos with several labels"):
        train.run(arguments)
    settings = ["train.loss=sigmoid", "eval.every=6", "eval.after_train=true", "eval.aggregate=max", "eval.clips=2"]
    assert train.run([*arguments, *settings]) == 1  # for the video that failed
    line = capsys.readouterr().out.splitlines()[-2]
    figures = r"mAP 0\.\d{3} \| 1 view mAP 0\.\d{3} \| readable only mAP 0\.\d{3}"
    assert re.search(r" val n=18 failed=1 \| 2x3 views, max score \| " + figures, line)
    results = json.loads((tmp_path / "run" / "test" / "results.json").read_text())
    assert 0 < results["figures"]["mAP"] < results["figures"]["mAP_readable"] <= 1
    assert results["figures"].keys() <= {"n", "failed", "damaged", "mAP", "mAP_readable", "empty_classes"}
    rows = (tmp_path / "run" / "test" / "predictions.csv").read_text().splitlines()
    assert len(rows) == 18
    assert all(row.split(",")[1].split(";")[1] in ("turns or grows", "moves along") for row in rows[1:])
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    checks = [line for line in lines if line["event"] == "val"]
    assert [check["step"] for check in checks] == [6, 12]
    assert all(check.keys() == {"event", "time", "step", "mAP"} for check in checks)


def write_pictures(folder):
    """Folders of red and of blue pictures, in several formats and sizes."""
    for split, name, colour in itertools.product(("train", "val"), ("blue", "red"), range(4)):
        path = folder / split / name / f"{colour}{('.jpg', '.JPEG', '.png', '.webp')[colour]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = 150 + 30 * colour
        Image.new("RGB", (40 + colour, 36), (shade, 20, 20) if name == "red" else (20, 20, shade)).save(path)


PICTURES = ["data.frames=1", "data.stride=1", "model.tubelet=[1, 8, 8]", "data.workers=0", "train.lr=0.01"]


def test_pictures_are_clips_of_one_frame(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    write_pictures(tmp_path)
    folders = [f"data.train={tmp_path / 'train'}", f"data.val={tmp_path / 'val'}", "data.classes=null"]
    settings = [
        *PICTURES,
        "train.steps=24",
        "eval.opposites=[]",
        "eval.after_train=true",
        "eval.clips=1",
        "eval.crops=1",
    ]
    assert train.run([*small_run(motion, tmp_path / "run"), *folders, *settings]) == 0
    assert "val n=8 failed=0 | 1x1 views, mean logits | top1 1.000 | 1 view top1 1.000" in capsys.readouterr().out
    assert tuple(final(tmp_path / "run", step=24)["classes"]) == ("blue", "red")


def test_a_list_of_pictures(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    write_pictures(tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*/*"))
    (tmp_path / "list.csv").write_text("".join(f"{path} {int(path.parts[1] == 'red')}\n" for path in files))
    (tmp_path / "classes.txt").write_text("blue\nred\n")
    settings = [f"data.{name}={tmp_path / 'list.csv'}" for name in ("train", "val")]
    settings += [f"data.classes={tmp_path / 'classes.txt'}", *PICTURES, "train.steps=2"]
    assert train.run([*small_run(motion, tmp_path / "run"), *settings]) == 0
    assert losses(tmp_path / "run").keys() == {1, 2}


@pytest.mark.slow
def test_names_that_are_not_utf8_on_a_narrow_console(motion, tmp_path):
    """Training, a broken video, validation, predictions: all that writes a path survives it."""
    names, videos = {}, tmp_path / "videos"
    for split, count in (("train", 24), ("val", 17)):
        lines = (motion / f"{split}.csv").read_text().splitlines()
        for row, line in enumerate(lines[:count]):
            name, label = line.rsplit(maxsplit=1)
            names[split] = [*names.get(split, []), f"{split}/\udce9 {row}.mp4 {label}\n"]
            (videos / split).mkdir(parents=True, exist_ok=True)
            (videos / f"{split}/\udce9 {row}.mp4").write_bytes(b"broken" if row == 3 else (motion / name).read_bytes())
        (tmp_path / f"{split}.csv").write_bytes("".join(names[split]).encode(errors="surrogateescape"))
    lists = [f"data.{split}={tmp_path / f'{split}.csv'}" for split in names]
    more = [f"data.root={videos}", "data.max_bad_fraction=0.5", "eval.after_train=true", "eval.clips=1", "eval.crops=1"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    done = tool("train_net", *small_run(motion, tmp_path / "run"), *lists, *more, "--allow-missing", env=env)
    assert done.returncode == 0, done.stderr
    assert "cannot decode, skipped" in done.stdout
    assert "\\udce9 3.mp4" in done.stdout
    test = tmp_path / "run" / "test"
    assert "val/\\udce9 0.mp4,right" in (test / "predictions.csv").read_text(encoding="utf-8")
    assert "\\udce9 3.mp4" in (test / "failed.csv").read_text(encoding="utf-8")
    events = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert any("\\udce9 3.mp4" in event for event in events)
