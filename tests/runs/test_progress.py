"""How far a command is, on a terminal and elsewhere."""

import sys
import threading

import pytest

from vidtok.runs import progress
from vidtok.runs.progress import FileProgress


def test_lines_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with FileProgress(100, done=40) as shown:
        for count in range(30):
            now[0] += 1.0
            shown.add(bad=count % 10 == 0)
        shown.say("a line")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "51 of 100 files, 2 bad, 1.0 files/s, 1 min left"
    assert len(lines) == 3
    assert lines[-1] == "a line"


def test_a_long_command_is_told_ever_more_rarely(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with FileProgress(1800) as shown:
        for _ in range(1800):
            now[0] += 1.0
            shown.add(bad=False)
    lines = capsys.readouterr().out.splitlines()
    assert 8 <= len(lines) <= 12
    assert lines[0].startswith("11 of 1800 files")


def test_a_part_of_a_long_file_is_told_as_rarely(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with FileProgress(2) as shown:
        for step in range(40):
            now[0] += 1.0
            shown.part(step / 40)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["0 of 2 files, 0 bad, 25% of the next", "0 of 2 files, 0 bad, 65% of the next"]


def test_a_bar_on_a_terminal_without_a_thread(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    threads = threading.active_count()
    with FileProgress(3) as shown:
        for bad in (False, True, False):
            shown.add(bad=bad)
        shown.say("a line")
        assert threading.active_count() == threads
    captured = capsys.readouterr()
    assert "a line" in captured.out
    assert "3/3" in captured.err
    assert "1 bad" in captured.err
