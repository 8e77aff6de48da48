"""`vidtok predict`: what it hands to run_predict or run_timeline, which options are for which, and its exit status."""

from pathlib import Path

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.runs.predict import Labelled
from vidtok.types import Failure

WELL = Labelled(done=3, before=2, failed=())
FAILED = Labelled(done=3, before=2, failed=(Failure(index=0, path=Path("a.mp4"), cause="no video", key="a.mp4"),))
WORDS = ("--model", "runs/mine", "a.mp4")


@pytest.fixture
def labels(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.predict", "run_predict", gives=WELL)


@pytest.fixture
def segments(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.timeline", "run_timeline", gives=WELL)


def test_what_it_takes():
    assert usage("predict") == (
        "predict [-h] --model MODEL [--out FILE] [--top TOP] [--all-scores] [--root ROOT] [--clips CLIPS] "
        "[--crops {1,3}] [--workers WORKERS] [--backend {pyav,torchcodec,decord,frames}] [--device {auto,cpu,cuda}] "
        "[--allow-plugins] [--allow-missing] [--engine {here,ray}] [--actors N] [--ray-address ADDRESS] "
        "[--timeline] [--window SECONDS] [--step SECONDS] [--smooth SECONDS] [--min-length SECONDS] [--cuts] "
        "VIDEO|FOLDER|LIST|SHARDS [VIDEO|FOLDER|LIST|SHARDS ...]"
    )
    assert "\ntimelines:\n  segments of each video, in OUT/NAME.csv" in done("predict", "--help")
    assert refused("predict", "a.mp4") == "the following arguments are required: --model"


def test_a_video_alone(labels, segments):
    assert done("predict", *WORDS) == "", "the labels are said by run_predict"
    assert labels.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4"],
        "out": None,
        "top": 5,
        "all_scores": False,
        "root": None,
        "clips": 1,
        "crops": 1,
        "workers": 0,
        "backend": "pyav",
        "device": "auto",
        "allow_plugins": False,
        "engine": "here",
        "actors": None,
        "ray_address": None,
    }
    assert segments.calls == []


def test_all_options_of_labels(labels):
    said = done(
        "predict",
        *(*WORDS, "list.csv", "--out", "labels.csv", "--top", "2", "--all-scores", "--root", "clips", "--clips", "4"),
        *("--crops", "3", "--workers", "6", "--backend", "decord", "--device", "cpu", "--allow-plugins"),
        *("--engine", "ray", "--actors", "3", "--ray-address", "auto"),
    )
    assert said == "labels.csv: 3 videos labelled, 2 before, 0 failed\n"
    assert labels.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4", "list.csv"],
        "out": "labels.csv",
        "top": 2,
        "all_scores": True,
        "root": "clips",
        "clips": 4,
        "crops": 3,
        "workers": 6,
        "backend": "decord",
        "device": "cpu",
        "allow_plugins": True,
        "engine": "ray",
        "actors": 3,
        "ray_address": "auto",
    }


def test_a_timeline_alone(labels, segments):
    assert done("predict", *WORDS, "--timeline") == ""
    assert segments.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4"],
        "out": None,
        "window_seconds": None,
        "step_seconds": None,
        "smooth_seconds": 0.0,
        "min_seconds": None,
        "cuts": False,
        "all_scores": False,
        "root": None,
        "backend": "pyav",
        "device": "auto",
        "allow_plugins": False,
    }
    assert labels.calls == []


def test_all_options_of_timelines(segments):
    said = done(
        "predict",
        *(*WORDS, "list.csv", "--timeline", "--out", "lines", "--window", "2", "--step", "0.5", "--smooth", "1.5"),
        *("--min-length", "3", "--cuts", "--all-scores", "--root", "clips", "--backend", "decord"),
        *("--device", "cpu", "--allow-plugins"),
    )
    assert said == "lines: 3 timelines, 2 before, 0 failed\n"
    assert segments.take() == {
        "model": "runs/mine",
        "sources": ["a.mp4", "list.csv"],
        "out": "lines",
        "window_seconds": 2.0,
        "step_seconds": 0.5,
        "smooth_seconds": 1.5,
        "min_seconds": 3.0,
        "cuts": True,
        "all_scores": True,
        "root": "clips",
        "backend": "decord",
        "device": "cpu",
        "allow_plugins": True,
    }


@pytest.mark.parametrize("more", [(), ("--timeline",)])
def test_failed_videos_are_its_status_unless_they_may_be(labels, segments, more):
    assert ended("predict", *WORDS, *more, "--allow-missing").returncode == 0
    labels.gives = segments.gives = FAILED
    end = ended("predict", *WORDS, *more, "--out", "here.csv")
    assert end.stdout.endswith(", 2 before, 1 failed\n")
    assert end.returncode == 1
    assert ended("predict", *WORDS, *more, "--allow-missing").returncode == 0


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--top", ["2"]),
        ("--clips", ["4"]),
        ("--crops", ["3"]),
        ("--workers", ["2"]),
        ("--engine", ["ray"]),
        ("--actors", ["2"]),
        ("--ray-address", ["auto"]),
    ],
)
def test_options_of_labels_have_no_meaning_with_timelines(labels, segments, option, values):
    assert refused("predict", *WORDS, "--timeline", option, *values) == f"{option} has no meaning with --timeline"
    assert segments.calls == labels.calls == []


@pytest.mark.parametrize(
    ("option", "values"),
    [("--window", ["2"]), ("--step", ["1"]), ("--smooth", ["0"]), ("--min-length", ["1"]), ("--cuts", [])],
)
def test_options_of_timelines_are_for_them(labels, segments, option, values):
    assert refused("predict", *WORDS, option, *values) == f"{option} is for --timeline"
    assert segments.calls == labels.calls == []


def test_scores_of_all_classes_need_a_file(labels):
    assert refused("predict", *WORDS, "--all-scores") == "--all-scores needs --out"
    assert labels.calls == []


def test_errors_name_options(labels, segments):
    assert told_as(labels, "ray_address", "predict", *WORDS) == "--ray-address"
    assert told_as(segments, "allow_plugins", "predict", *WORDS, "--timeline") == "--allow-plugins"
    assert told_as(segments, "window_seconds", "predict", *WORDS, "--timeline") == "--window"
