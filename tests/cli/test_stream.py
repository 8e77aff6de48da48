"""`vidtok stream`: what it hands to run_stream."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.stream", "run_stream")


def test_what_it_takes():
    assert usage("stream") == (
        "stream [-h] --model MODEL [--out FILE.mp4] [--jsonl FILE] [--top TOP] [--seconds SECONDS] [--realtime] "
        "[--window SECONDS] [--whole-windows] [--timeout SECONDS] [--device {auto,cpu,cuda}] [--allow-plugins] "
        "FILE|CAMERA|RTSP"
    )
    assert refused("stream", "a.mp4") == "the following arguments are required: --model"


def test_a_file_alone(work):
    done("stream", "a.mp4", "--model", "runs/mine")
    assert work.take() == {
        "model": "runs/mine",
        "source": "a.mp4",
        "out": None,
        "jsonl": None,
        "realtime": False,
        "whole_windows": False,
        "window_seconds": None,
        "seconds": None,
        "top": 3,
        "timeout_seconds": 10.0,
        "device": "auto",
        "allow_plugins": False,
    }


def test_all_options(work):
    done(
        "stream",
        *("/dev/video0", "--model", "runs/mine", "--out", "said.mp4", "--jsonl", "-", "--top", "1", "--seconds", "9"),
        *("--realtime", "--window", "2", "--whole-windows", "--timeout", "3", "--device", "cpu", "--allow-plugins"),
    )
    assert work.take() == {
        "model": "runs/mine",
        "source": "/dev/video0",
        "out": "said.mp4",
        "jsonl": "-",
        "realtime": True,
        "whole_windows": True,
        "window_seconds": 2.0,
        "seconds": 9.0,
        "top": 1,
        "timeout_seconds": 3.0,
        "device": "cpu",
        "allow_plugins": True,
    }


def test_errors_name_options(work):
    assert told_as(work, "whole_windows", "stream", "a.mp4", "--model", "runs/mine") == "--whole-windows"
    assert told_as(work, "window_seconds", "stream", "a.mp4", "--model", "runs/mine") == "--window"
