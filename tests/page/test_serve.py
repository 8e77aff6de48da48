"""The server's beginning and end: addresses, what cannot be used, and that nothing stays behind."""

import os
import shlex
import signal
import socket
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
from tests.conftest import ROOT
from tests.page.served import Script, Visitor, quick, served
from vidtok.cli import serve as command
from vidtok.errors import ConfigError, VidtokError
from vidtok.page.limits import Limits
from vidtok.page.serve import (
    Labelling,
    address,
    closing_on_signals,
    listen,
    open_desk,
    run_serve,
)


def test_where_it_can_be_opened():
    with listen("127.0.0.1", 0) as one:
        port = one.getsockname()[1]
        assert address(one, "127.0.0.1", None) == f"http://127.0.0.1:{port}/"
        assert address(one, "::1", "abc") == f"http://[::1]:{port}/?token=abc"
        assert address(one, "0.0.0.0", "abc") == f"http://{socket.gethostname()}:{port}/?token=abc"
        with pytest.raises(ConfigError, match=f"`port` {port}: cannot be listened at"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match=r"`host` 203\.0\.113\.7"):
        listen("203.0.113.7", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_end_it_quietly(number):
    before = signal.getsignal(signal.SIGTERM)
    reached = False
    with closing_on_signals():
        os.kill(os.getpid(), number)
        signal.pause()
        reached = True
    assert not reached
    assert signal.getsignal(signal.SIGTERM) is before


def test_models_are_named_by_their_runs_and_what_they_cannot_be_is_told(tmp_path):
    models = ["runs/own/model", "other/own", "runs/best.pt", "someone/model-1"]
    with served(models=models) as (visitor, desk):
        assert list(desk.models) == ["own", "own 2", "best", "model-1"]
        assert visitor("/predict?model=own%202", "POST", b"x").status == 200
        assert desk.queue._worker.tasks[-1]["model"] == "other/own"

    def broken(task):
        return [("failed", f"{task['model']}: no such run")] if task["do"] == "open" else quick(task)

    worker = Script(broken)
    with pytest.raises(VidtokError, match="runs/none: no such run"):
        open_desk(worker, ["runs/none"], samples=None, labelling=None, limits=Limits())
    assert worker.stops == 1
    with pytest.raises(ConfigError, match="name a model, or with `label` a folder"):
        run_serve([])


def test_without_a_model_one_is_labelled_first(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"a")
    with served(models=[], labelling=Labelling(folder=tmp_path)) as (visitor, desk):
        assert visitor("/state").json["models"] == []
        answer = visitor("/jobs", "POST", b"x")
        assert (answer.status, answer.error[:23]) == (409, "there is no model yet: ")
        assert desk.fits.out == Path("runs") / f"fit_{tmp_path.name}"
        assert desk.fits.options == []


def test_nothing_stays_when_it_ends():
    with served() as (visitor, desk):
        root = desk.sessions.root
        one = Visitor(visitor.port)
        one.until_over(one("/jobs", "POST", b"x").json["job"])
        assert list(root.glob("*/*/video"))
    assert not root.exists()
    assert desk.queue._worker.stops == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", visitor.port), timeout=1)


def test_the_command_hands_everything_on(monkeypatch):
    told = {}
    monkeypatch.setattr("vidtok.page.serve.run_serve", lambda models, **more: told.update(more, models=models))
    words = ["a", "b", "--samples", "s", "--port", "0", "--host", "::1", "--waiting", "3", "--work-seconds", "9"]
    words += ["--label", "l", "--classes", "x, y", "--list", "l.csv", "--fit-out", "r", "--encoder", "e"]
    words += [
        "--upload-megabytes",
        "1",
        "--video-seconds",
        "2",
        "--session-minutes",
        "4",
        "--fit-minutes",
        "5",
        "--device",
        "cpu",
    ]
    assert command.run(words) == 0
    limits = Limits(
        upload_megabytes=1.0, video_seconds=2.0, work_seconds=9.0, session_minutes=4.0, fit_minutes=5.0, waiting=3
    )
    labelling = Labelling(folder="l", classes=["x", "y"], file="l.csv", out="r", encoder="e")
    assert told == {
        "models": ["a", "b"],
        "samples": "s",
        "labelling": labelling,
        "host": "::1",
        "port": 0,
        "limits": limits,
        "device": "cpu",
        "allow_plugins": False,
    }
    assert command.run(["a"]) == 0
    assert told["limits"] == Limits(), "the options' defaults are the limits'"
    assert (told["labelling"], told["host"], told["port"]) == (None, "127.0.0.1", 8000)


def test_what_the_page_on_serving_shows_is_understood(monkeypatch):
    told = []
    monkeypatch.setattr("vidtok.page.serve.run_serve", lambda models, **more: told.append((models, more)))
    lines = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line.partition(" #")[0])[2:] for line in lines if line.startswith("vidtok serve")]
    assert [command.run(words) for words in commands] == [0, 0, 0]
    assert [models for models, _ in told] == [["runs/own"]] * 3
    assert told[1][1]["labelling"].classes == ["jump", "run"]
    assert told[2][1]["host"] == "0.0.0.0"


def test_options_that_cannot_be_are_told(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        command.run(["a", "--classes", "x"])
    assert "are for the clips of --label FOLDER" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--video-seconds is above 0, got 0"):
        command.run(["a", "--video-seconds", "0"])
    with pytest.raises(ConfigError, match="--waiting counts from 1, got 0"):
        command.run(["a", "--waiting", "0"])
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else True)
    with pytest.raises(ConfigError, match=r"the page needs uvicorn: pip install 'vidtok\[page\]'"):
        command.run(["a"])
