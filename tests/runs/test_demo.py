"""The demo on a set and a network that take seconds: all of its parts, and its verdict."""

import dataclasses
import json
import re

import av
import numpy as np
import pytest

from tests.conftest import ROOT, small_run
from tests.runs.commands import asks_for_the_defaults
from vidtok.cli import demo
from vidtok.errors import TrainingError
from vidtok.runs.demo import DemoFigures, run_demo

CONTROLS = ("repeat_first", "repeat_middle", "repeat_last", "shuffle", "reverse")


@pytest.mark.slow
def test_all_parts_run_and_a_missed_mark_is_told(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "demo"
    out.mkdir()
    (out / "motion").symlink_to(motion)
    small = [item for item in small_run(motion, out)[2:] if not item.startswith(("run.dir", "data.train", "data.val"))]
    with pytest.raises(TrainingError, match="demo missed its marks") as told:
        demo.run(["--out", str(out), *small, "data.workers=0", "eval.after_train=true", "eval.clips=1", "eval.crops=1"])
    found = {name: json.loads((out / folder / "results.json").read_text("utf-8")) for name, folder in
             {"plain": "test", **{name: f"test_{name}" for name in CONTROLS}}.items()}  # fmt: skip
    # Each control was run as itself, on the whole list, and the line's figures are those of the tests.
    assert {name: content["protocol"]["control"] for name, content in found.items()} == {
        "plain": "none",
        **{name: name for name in CONTROLS},
    }
    assert {content["figures"]["n"] for content in found.values()} == {17}
    top1 = {name: content["figures"]["top1"] for name, content in found.items()}
    figures = DemoFigures(
        top1=top1["plain"],
        repeated=max(top1[name] for name in CONTROLS[:3]),
        shuffled=top1["shuffle"],
        reversed=top1["reverse"],
        opposite=found["reverse"]["opposite"],
    )
    assert f"({', '.join(figures.missed())}): {figures.line()} | " in str(told.value)
    assert re.search(r"\| \d+ s \| .*maps\.mp4$", str(told.value))
    # The video shows the first clip of the validation list: its left panel is the clip's own picture.
    first = (motion / "val.csv").read_text("utf-8").splitlines()[0].rsplit(maxsplit=1)[0]
    with av.open(str(out / "maps.mp4")) as shown, av.open(str(motion / first)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in shown.decode(video=0)]
        assert len(frames) == 8
        dark = np.mean([frame.to_ndarray(format="gray").mean() for frame in source.decode(video=0)])
        assert abs(frames[0][30:250, 10:230].mean() - dark) < 30
    assert (out / "curves.png").is_file()


GOOD = DemoFigures(top1=0.95, repeated=0.20, shuffled=0.55, reversed=0.10, opposite=0.90)


def test_marks_that_are_just_met_are_met():
    assert GOOD.missed() == []
    assert GOOD.line() == "top1 0.95 | repeated 0.20 | shuffled 0.55 | reversed 0.10 opposite 0.90"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("top1", 0.94, "top1 >= 0.95"),
        ("repeated", 0.21, "repeated <= 0.20"),
        ("shuffled", 0.56, "shuffled <= 0.55"),
        ("reversed", 0.11, "reversed <= 0.10"),
        ("opposite", 0.89, "opposite >= 0.90"),
    ],
)
def test_each_mark_alone_is_told(name, value, words):
    assert dataclasses.replace(GOOD, **{name: value}).missed() == [words]


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("demo", run_demo)
