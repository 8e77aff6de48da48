"""`vidtok check`: what it hands to run_check, and its exit status."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.check", "run_check", gives=0)


def test_what_it_takes():
    assert usage("check") == (
        "check [-h] [--root ROOT] [--out OUT] [--workers WORKERS] [--backend {pyav,torchcodec,decord,frames}] "
        "[--timeout SECONDS] [--fresh] [--leave-out-damaged] LIST|FOLDER|SHARDS"
    )
    said = done("check", "--help")
    assert "NAME.check.csv" in said
    assert "to its next frame (default: 60)" in said


def test_a_list_alone(work):
    assert done("check", "list.csv") == ""
    assert work.take() == {
        "source": "list.csv",
        "root": None,
        "out": None,
        "workers": None,
        "backend": "pyav",
        "timeout_seconds": 60.0,
        "fresh": False,
        "leave_out_damaged": False,
    }


def test_all_options(work):
    done(
        "check",
        *("clips", "--root", "videos", "--out", "reports", "--workers", "1", "--backend", "frames"),
        *("--timeout", "0.5", "--fresh", "--leave-out-damaged"),
    )
    assert work.take() == {
        "source": "clips",
        "root": "videos",
        "out": "reports",
        "workers": 1,
        "backend": "frames",
        "timeout_seconds": 0.5,
        "fresh": True,
        "leave_out_damaged": True,
    }


def test_bad_files_are_its_status(work):
    work.gives = 3
    assert ended("check", "list.csv").returncode == 1


@pytest.mark.parametrize("words", [["--workers", "0"], ["--timeout", "0"], ["--timeout", "nan"]])
def test_numbers_that_cannot_be(work, words):
    workers, timeout = (words[1] if words[0] == name else None for name in ("--workers", "--timeout"))
    assert refused("check", "list.csv", *words) == (
        f"--workers counts from 1 and --timeout is above 0, got {workers} and {timeout or 60}"
    )
    assert work.calls == []


def test_errors_name_options(work):
    assert told_as(work, "out", "check", "list.csv") == "--out"
