"""`vidtok serve`: what it hands to run_serve, its bounds, and what it needs."""

import pytest

pytest.importorskip("uvicorn")
from tests.cli.handed import done, hand_to, refused, told_as, usage
from vidtok.cli import serve
from vidtok.page.limits import Limits
from vidtok.page.serve import Labelling


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.page.serve", "run_serve")


def test_what_it_takes():
    assert usage("serve") == (
        "serve [-h] [--samples FOLDER] [--host ADDRESS] [--port N] [--label FOLDER] [--classes A,B,…] "
        "[--list FILE.csv] [--fit-out RUN] [--encoder ENCODER] [--upload-megabytes N] [--video-seconds N] "
        "[--work-seconds N] [--fit-minutes N] [--session-minutes N] [--waiting N] [--device {auto,cpu,cuda}] "
        "[--allow-plugins] [MODEL ...]"
    )
    said = done("serve", "--help")
    assert "\nlabelling:\n  --label FOLDER" in said
    assert "\nlimits:\n  --upload-megabytes N" in said
    assert "of a file (default: 200)" in said


def test_a_model_alone_is_served_to_this_machine(work):
    done("serve", "runs/mine")
    assert work.take() == {
        "models": ["runs/mine"],
        "samples": None,
        "labelling": None,
        "host": "127.0.0.1",
        "port": 8000,
        "limits": Limits(
            upload_megabytes=200.0,
            video_seconds=120.0,
            work_seconds=300.0,
            fit_minutes=240.0,
            session_minutes=30.0,
            waiting=8,
        ),
        "device": "auto",
        "allow_plugins": False,
    }
    done("serve")
    assert work.take()["models"] == []


def test_all_options(work):
    done(
        "serve",
        *("runs/a", "runs/b", "--samples", "samples", "--host", "0.0.0.0", "--port", "0", "--label", "clips"),
        *("--classes", " run, jump ,, ", "--list", "mine.csv", "--fit-out", "runs/new", "--encoder", "vit_s"),
        *(
            "--upload-megabytes",
            "1.5",
            "--video-seconds",
            "2.5",
            "--work-seconds",
            "3.5",
            "--fit-minutes",
            "5.5",
            "--session-minutes",
            "4.5",
        ),
        *("--waiting", "5", "--device", "cpu", "--allow-plugins"),
    )
    assert work.take() == {
        "models": ["runs/a", "runs/b"],
        "samples": "samples",
        "labelling": Labelling(
            folder="clips", classes=["run", "jump"], file="mine.csv", out="runs/new", encoder="vit_s"
        ),
        "host": "0.0.0.0",
        "port": 0,
        "limits": Limits(
            upload_megabytes=1.5, video_seconds=2.5, work_seconds=3.5, fit_minutes=5.5, session_minutes=4.5, waiting=5
        ),
        "device": "cpu",
        "allow_plugins": True,
    }


def test_a_folder_to_label_alone(work):
    done("serve", "--label", "clips")
    assert work.take()["labelling"] == Labelling(folder="clips", classes=[], file=None, out=None, encoder=None)


@pytest.mark.parametrize("option", ["--classes", "--list", "--fit-out", "--encoder"])
def test_what_is_for_labelling_needs_its_folder(work, option):
    assert refused("serve", "runs/mine", option, "x") == (
        "--classes, --list, --fit-out and --encoder are for the clips of --label FOLDER"
    )
    assert work.calls == []


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_package_that_is_not_there_is_told(work, monkeypatch, package):
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == package else object())
    assert refused("serve", "runs/mine") == f"the page needs {package}: pip install 'vidtok[page]'"
    assert work.calls == []


def test_errors_name_options(work):
    assert refused("serve", "--work-seconds", "0") == "--work-seconds is above 0, got 0"
    assert refused("serve", "--waiting", "0") == "--waiting counts from 1, got 0"
    assert work.calls == []
    assert told_as(work, "folder", "serve", "--label", "clips") == "--label"
    assert told_as(work, "samples", "serve") == "--samples"
