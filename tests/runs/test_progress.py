"""How far a command is, on a terminal and elsewhere."""

import sys
import threading
from pathlib import Path

import pytest
import torch

from vidtok.runs import progress
from vidtok.runs.progress import FileProgress, ShareProgress, counted
from vidtok.types import Batch, Failure


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


def test_the_last_lines_are_ten_minutes_apart_and_what_is_left_is_reckoned(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with FileProgress(10_000, done=10) as shown:
        times = []
        for count in range(1, 400):
            now[0] += 30.0
            shown.add(bad=count == 1)
            if capsys.readouterr().out:
                times.append(now[0])
        assert times[0] == 130.0
        assert {after - before for before, after in zip(times[-4:], times[-3:], strict=False)} == {630.0}
        now[0] += 700.0
        shown.add(bad=False)
    line = capsys.readouterr().out
    rate = 400 / (now[0] - 100.0)
    assert line == f"410 of 10000 files, 1 bad, {rate:.1f} files/s, {9590 / rate / 60:.0f} min left\n"


def test_the_bar_shows_how_far_the_next_file_is_twice_a_second(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with FileProgress(3, done=1) as shown:
        now[0] = 0.5
        shown.part(0.25)
        now[0] = 0.6
        shown.part(0.5)
    err = capsys.readouterr().err
    assert "25%" not in err
    assert "0 bad, 50% of the next" in err
    assert "1/3" in err


def test_a_share_is_told_now_and_then_and_its_end_by_what_follows(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with ShareProgress("drawing a.mp4") as shown:
        for step in range(1, 101):
            now[0] += 0.5
            shown(step / 100)
        now[0] += 1000.0
        shown(1.0)
    assert capsys.readouterr().out.splitlines() == [f"drawing a.mp4: {n}%" for n in (21, 52, 98)]


def test_a_share_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    threads = threading.active_count()
    with ShareProgress("drawing a.mp4") as shown:
        for share in (0.25, 0.5, 1.0):
            shown(share)
        assert shown._bar is not None
        assert shown._bar.n == 1.0
        assert threading.active_count() == threads
    captured = capsys.readouterr()
    assert "drawing a.mp4:   0%" in captured.err
    assert captured.out == ""


def test_videos_count_when_the_next_batch_is_asked_for():
    def batch(clips: int, bad: int) -> Batch:
        failure = Failure(index=0, key="k", path=Path("a.mp4"), cause="cut off")
        return Batch(
            views=torch.zeros(clips, 1, 2, 3, 4, 4, dtype=torch.uint8),
            labels=((0,),) * clips,
            indices=tuple(range(clips)),
            video_ids=("",) * clips,
            failures=(failure,) * bad,
        )

    batches, seen = [batch(3, 0), batch(0, 1), batch(2, 1)], []
    with FileProgress(7) as shown:
        passed = []
        for each in counted(batches, shown):
            passed.append(each)
            seen.append((shown.done, shown.bad))
    assert all(one is other for one, other in zip(passed, batches, strict=True))
    assert seen == [(0, 0), (3, 0), (4, 1)]
    assert (shown.done, shown.bad) == (7, 2)
