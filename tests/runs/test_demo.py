"""The demo on a set and a network that take seconds: all of its parts, and its verdict."""

import json

import pytest

from tests.conftest import ROOT, small_run
from vidtok.cli import demo
from vidtok.errors import TrainingError
from vidtok.runs import demo as runs_demo
from vidtok.runs.train import Trained

JUST = {
    "plain": 0.95,
    "repeat_first": 0.1,
    "repeat_middle": 0.2,
    "repeat_last": 0.0,
    "shuffle": 0.55,
    "reverse": 0.1,
    "opposite": 0.9,
}
"""Figures that are just good enough."""


@pytest.fixture
def demo_with(tmp_path, monkeypatch):
    """The demo, whose parts are told to have found such figures; its exit status, and what it did."""

    def run(figures, *, finished=True):
        done = []

        def write(folder, name):
            folder.mkdir(parents=True, exist_ok=True)
            found = {"figures": {"top1": figures[name]}, "opposite": figures["opposite"] if name == "reverse" else None}
            (folder / "results.json").write_text(json.dumps(found))

        def make(folder):
            done.append("motion")
            folder.mkdir(parents=True)
            for name in ("train.csv", "val.csv", "classes.txt"):
                (folder / name).write_text("val/first clip.mp4 3\nval/second.mp4 1\n")

        def train(cfg, overrides):
            done.append(("train", cfg, overrides))
            write(tmp_path / "test", "plain")
            return Trained(folder=tmp_path, finished=finished, figures=None)

        monkeypatch.setattr(runs_demo, "run_motion", make)
        monkeypatch.setattr(runs_demo, "run_train", train)
        monkeypatch.setattr(
            runs_demo, "run_test", lambda run, overrides, *, out: write(out, overrides[0].removeprefix("eval.control="))
        )
        monkeypatch.setattr(runs_demo, "run_visualize", lambda run, video, *, out: done.append((video, out)))
        return runs_demo.run_demo(tmp_path, overrides=["train.steps=9"]), done

    return run


def test_figures_that_are_just_good_enough(demo_with, tmp_path, capsys):
    status, done = demo_with(JUST)
    assert status == 0
    motion, (_, cfg, overrides), shown = done
    assert (motion, cfg) == ("motion", "motion_vivit_tl8")
    assert overrides[-1] == "train.steps=9"
    assert f'data.val="{tmp_path}/motion/val.csv"' in overrides
    assert shown == (tmp_path / "motion" / "val/first clip.mp4", tmp_path / "maps.mp4")
    line = capsys.readouterr().out
    assert line.startswith("demo ok: top1 0.95 | repeated 0.20 | shuffled 0.55 | reversed 0.10 opposite 0.90 | ")
    assert line.endswith(f" s | {tmp_path}/maps.mp4\n")
    assert demo_with(JUST)[1][0] != "motion", "the set is made once"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain", 0.94),
        ("repeat_first", 0.21),
        ("repeat_middle", 0.21),
        ("repeat_last", 0.21),
        ("shuffle", 0.56),
        ("reverse", 0.11),
        ("opposite", 0.89),
    ],
)
def test_each_figure_counts(demo_with, name, value):
    with pytest.raises(TrainingError, match=rf"demo missed its marks .*{value:.2f}"):
        demo_with({**JUST, name: value})


def test_a_run_that_was_stopped_is_not_judged(demo_with):
    status, done = demo_with(JUST, finished=False)
    assert status == 130
    assert len(done) == 2


def test_all_parts_run_and_a_missed_mark_is_told(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "demo"
    out.mkdir()
    (out / "motion").symlink_to(motion)
    small = [item for item in small_run(motion, out)[2:] if not item.startswith(("run.dir", "data.train", "data.val"))]
    with pytest.raises(TrainingError, match=r"demo missed its marks .*top1 0\.\d\d \| repeated 0\.\d\d \| shuffled"):
        demo.run(["--out", str(out), *small, "data.workers=0", "eval.after_train=true", "eval.clips=1", "eval.crops=1"])
    for name in (
        "curves.png",
        "maps.mp4",
        "test/results.json",
        "test_reverse/results.json",
        "test_shuffle/predictions.csv",
    ):
        assert (out / name).is_file()
