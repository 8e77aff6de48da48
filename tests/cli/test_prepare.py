"""`vidtok prepare`: what it hands to run_prepare or run_cut, what it refuses, and its exit status."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.runs.prepare import Settings


@pytest.fixture
def whole(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.prepare", "run_prepare", gives=0)


@pytest.fixture
def parts(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.cut", "run_cut", gives=0)


def test_what_it_takes():
    presets = "ultrafast,superfast,veryfast,faster,fast,medium,slow,slower,veryslow"
    assert usage("prepare") == (
        "prepare [-h] [--root ROOT] [--short-side SHORT_SIDE] [--gop GOP] [--crf CRF] "
        f"[--preset {{{presets}}}] [--workers WORKERS] [--cut] [--classes FILE] [--timeout SECONDS] "
        "LIST|FOLDER [LIST|FOLDER ...] OUT"
    )
    assert "to its next frame (default: 60)" in done("prepare", "--help")


def test_a_list_and_a_folder_to_write_into(whole, parts):
    done("prepare", "list.csv", "small")
    assert whole.take() == {
        "sources": ["list.csv"],
        "out": "small",
        "settings": Settings(short_side=256, gop=16, crf=26, preset="medium"),
        "root": None,
        "workers": None,
        "timeout_seconds": 60.0,
    }
    assert parts.calls == []


def test_all_options(whole):
    done(
        "prepare",
        *("train.csv", "val.csv", "small", "--root", "clips", "--short-side", "128", "--gop", "8", "--crf", "30"),
        *("--preset", "fast", "--workers", "2", "--timeout", "0.5"),
    )
    assert whole.take() == {
        "sources": ["train.csv", "val.csv"],
        "out": "small",
        "settings": Settings(short_side=128, gop=8, crf=30, preset="fast"),
        "root": "clips",
        "workers": 2,
        "timeout_seconds": 0.5,
    }


def test_with_cut_every_record_becomes_a_file(whole, parts):
    done("prepare", "list.csv", "small", "--cut")
    assert parts.take() == {
        "sources": ["list.csv"],
        "out": "small",
        "settings": Settings(),
        "root": None,
        "classes": None,
        "workers": None,
        "timeout_seconds": 60.0,
    }
    done(
        "prepare",
        *("list.csv", "small", "--cut", "--classes", "classes.txt", "--root", "clips", "--workers", "3"),
        *("--timeout", "9", "--crf", "20"),
    )
    assert parts.take() == {
        "sources": ["list.csv"],
        "out": "small",
        "settings": Settings(crf=20),
        "root": "clips",
        "classes": "classes.txt",
        "workers": 3,
        "timeout_seconds": 9.0,
    }
    assert whole.calls == []


@pytest.mark.parametrize("more", [(), ("--cut",)])
def test_bad_files_are_its_status(whole, parts, more):
    whole.gives = parts.gives = 2
    assert ended("prepare", "list.csv", "small", *more).returncode == 1


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("--short-side", ("2", "258"), ("0", "1", "3", "257", "-2")),
        ("--gop", ("1",), ("0", "-1")),
        ("--crf", ("0", "51"), ("-1", "52")),
    ],
)
def test_bounds_of_how_videos_are_written(whole, option, good, bad):
    for value in good:
        done("prepare", "list.csv", "small", option, value)
        assert getattr(whole.take()["settings"], option[2:].replace("-", "_")) == int(value)
    for value in bad:
        assert refused("prepare", "list.csv", "small", f"{option}={value}") == (
            "--short-side is even and at least 2, --gop counts from 1, --crf goes from 0 to 51"
        )
    assert whole.calls == []


def test_bounds_of_how_they_are_read(whole):
    done("prepare", "list.csv", "small", "--workers", "1", "--timeout", "0.5")
    assert whole.take()["workers"] == 1
    for words in (("--workers", "0"), ("--timeout", "0"), ("--timeout", "nan"), ("--workers", "2", "--timeout", "0")):
        assert refused("prepare", "list.csv", "small", *words) == "--workers counts from 1 and --timeout is above 0"
    assert whole.calls == []


def test_classes_are_for_cutting(whole):
    assert refused("prepare", "list.csv", "small", "--classes", "classes.txt") == (
        "--classes is for --cut; without it the lists' labels stay as they are"
    )
    assert whole.calls == []


def test_errors_name_options(whole, parts):
    assert "LIST|FOLDER, OUT" in refused("prepare")
    assert told_as(whole, "short_side", "prepare", "list.csv", "small") == "--short-side"
    assert told_as(parts, "classes", "prepare", "list.csv", "small", "--cut") == "--classes"
