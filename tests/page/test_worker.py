"""The worker as a process: it answers, dies and is stopped, and the next task begins anew."""

import multiprocessing
import os
import time

import pytest

from vidtok.errors import VidtokError
from vidtok.page import look
from vidtok.page.worker import Ended, ProcessWorker, server_context


class Odd(look.Looker):
    """Does what its task says, without a model."""

    def do(self, task, *, tell):
        tell("part", {"pid": os.getpid()})
        if task["do"] == "die":
            os.kill(os.getpid(), 9)
        if task["do"] == "leave":
            os._exit(3)
        if task["do"] == "sleep":
            time.sleep(60)
        if task["do"] == "raise":
            raise ZeroDivisionError("by zero")
        super().do(task, tell=tell)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr(look, "Looker", Odd)
    made = ProcessWorker(context=multiprocessing.get_context("fork"))
    yield made
    made.stop()


def last(worker):
    while True:
        event = worker.news(5.0)
        assert event is not None
        if event[0] != "part":
            return event


def test_a_worker_that_dies_is_told_and_replaced(worker, tmp_path, capfd):
    (tmp_path / "a.mp4").touch()
    task = {"do": "find", "folder": str(tmp_path)}
    first = worker.ask(task)
    assert first["names"] == ["a.mp4"]
    assert first["pid"] != os.getpid()
    assert worker.ask(task)["pid"] == first["pid"], "one process does one task after the other"
    with pytest.raises(VidtokError, match="no such folder"):
        worker.ask({"do": "find", "folder": str(tmp_path / "none")})
    worker.give({"do": "raise"})
    words = "something is wrong in the server itself (ZeroDivisionError); its console says what"
    assert last(worker) == ("failed", words)
    assert "ZeroDivisionError: by zero" in capfd.readouterr().err
    for way, words in (("die", "by signal 9"), ("leave", "with status 3")):
        with pytest.raises(Ended, match=words):
            worker.ask({"do": way})
        again = worker.ask(task)
        assert again["names"] == ["a.mp4"]
        assert again["pid"] != first["pid"]


def test_one_that_is_stopped_leaves_no_process(worker):
    worker.give({"do": "sleep"})
    pid = worker.news(5.0)[1]["pid"]
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_servers_do_not_fork_themselves():
    """A fork would hold on to the connections of visitors."""
    assert server_context().get_start_method() in ("forkserver", "spawn")
