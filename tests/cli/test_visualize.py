"""`vidtok visualize`: what it hands to run_visualize, and how layers, heads and points are written."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage
from vidtok.infer.pictures import KINDS

WORDS = ("--checkpoint", "runs/mine", "a.mp4", "--out", "maps.mp4")


@pytest.fixture
def work(monkeypatch, tmp_path):
    return hand_to(monkeypatch, "vidtok.runs.visualize", "run_visualize", gives=tmp_path / "maps.mp4")


def test_what_it_takes():
    assert usage("visualize") == (
        "visualize [-h] [--cfg CFG] (--checkpoint CHECKPOINT | --checkpoints RUN) --out OUT [--kind KIND] "
        "[--layer LAYER] [--head HEAD] [--point X,Y,SECONDS] [--class CLASS] [--whole] [--window SECONDS] "
        "[--between {hold,linear}] [--panel-size PANEL_SIZE] [--allow-plugins] video [key.sub=value ...]"
    )


def test_help_names_every_kind_of_picture():
    said = " ".join(done("visualize", "--help").split())
    kinds = said.split("what is shown, with commas between: ")[1].split("; or all")[0]
    assert sorted(kinds.split(", ")) == sorted(KINDS)


def test_a_video_alone(work):
    done("visualize", *WORDS)
    assert work.take() == {
        "checkpoint": "runs/mine",
        "video": "a.mp4",
        "out": ["maps.mp4"],
        "overrides": [],
        "cfg": None,
        "allow_plugins": False,
        "kinds": ["attention"],
        "layer": None,
        "head": None,
        "point": None,
        "label": None,
        "whole": False,
        "window_seconds": None,
        "between": "hold",
        "panel_size": None,
        "over_training": False,
    }


def test_all_options_between_changes_of_the_config(work):
    done(
        "visualize",
        *(*WORDS, "data.size=32", "--out", "maps.npz", "--cfg", "mine.yaml", "--allow-plugins"),
        *("--kind", "query,time", "--layer", "2", "--head", "all", "--point", "12,8.5,1.5", "--class", "run"),
        *("--whole", "--window", "2", "--between", "linear", "--panel-size", "96", "eval.crops=1"),
    )
    assert work.take() == {
        "checkpoint": "runs/mine",
        "video": "a.mp4",
        "out": ["maps.mp4", "maps.npz"],
        "overrides": ["data.size=32", "eval.crops=1"],
        "cfg": "mine.yaml",
        "allow_plugins": True,
        "kinds": ["query", "time"],
        "layer": 2,
        "head": "all",
        "point": (12.0, 8.5, 1.5),
        "label": "run",
        "whole": True,
        "window_seconds": 2.0,
        "between": "linear",
        "panel_size": 96,
        "over_training": False,
    }


def test_a_run_over_its_checkpoints(work):
    done("visualize", "--checkpoints", "runs/mine", "a.mp4", "--out", "maps.png", "--layer", "all", "--head", "1")
    told = work.take()
    assert (told["checkpoint"], told["over_training"]) == ("runs/mine", True)
    assert (told["layer"], told["head"]) == ("all", 1)


@pytest.mark.parametrize("option", ["--layer", "--head"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "every", ""])
def test_layers_and_heads_count_from_1(work, option, value):
    assert refused("visualize", *WORDS, f"{option}={value}") == (
        f"argument {option}: a number from 1, or all, got {value!r}"
    )
    assert work.calls == []


@pytest.mark.parametrize("value", ["1,2", "1,2,3,4", "a,b,c", "1;2;3"])
def test_a_point_is_three_numbers(work, value):
    assert refused("visualize", *WORDS, "--point", value) == (
        f"argument --point: X,Y,SECONDS, such as 120,80,1.5, got {value!r}"
    )
    assert work.calls == []


def test_what_is_missing_is_told(work):
    assert refused("visualize", "--checkpoint", "runs/mine", "a.mp4").endswith("required: --out")
    assert "--checkpoint --checkpoints is required" in refused("visualize", "a.mp4", "--out", "maps.mp4")
    assert "not allowed with argument --checkpoint" in refused("visualize", *WORDS, "--checkpoints", "runs/mine")
    assert work.calls == []


def test_errors_name_options(work):
    assert told_as(work, "panel_size", "visualize", *WORDS) == "--panel-size"
