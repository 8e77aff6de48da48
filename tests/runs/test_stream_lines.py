"""What a stream says: a line of JSON for each window, and on the console the best class when it changes."""

import io
import json
import sys

import pytest

from vidtok.errors import ConfigError
from vidtok.runs import stream_lines
from vidtok.runs.stream_lines import Label, Lines, state_words

GUESSES = (("run", 0.71234567), ("jump", 0.2), ("wave", 0.08765433))


def label(*, seconds=1.0, best="run", lag=None) -> Label:
    guesses = tuple((best if name == "run" else name, score) for name, score in GUESSES)
    return Label(seconds=float(seconds), guesses=guesses, lag_seconds=lag)


class Console(io.TextIOWrapper):
    """Standard output with an encoding of its own, a terminal or none."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def console(monkeypatch):
    """A console in the place of this process's, and a clock that the test sets."""

    def one(*, terminal: bool = False, encoding: str = "utf-8") -> Console:
        made = Console(terminal=terminal, encoding=encoding)
        monkeypatch.setattr(sys, "stdout", made)
        return made

    return one


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(stream_lines, "monotonic", lambda: now[0])
    return now


def test_how_far_a_label_is_behind():
    assert state_words(label(), 3) == "", "a source that waits is never behind"
    assert state_words(label(lag=0.04), 0) == "0.0 s behind"
    assert state_words(label(lag=1.25), 7) == "1.2 s behind, 7 steps dropped"


def test_a_file_has_a_line_of_json_for_each_window(tmp_path, console):
    said, path = console(), tmp_path / "new" / "lines.jsonl"
    with Lines(path, top=2, shown=False) as lines:
        lines.say(label(seconds=1.234567, best="Läufer", lag=0.123456), 4)
        lines.say(label(seconds=2), 0)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2, "each is there when it is said"
    rows = path.read_text(encoding="utf-8").splitlines()
    assert "Läufer" in rows[0], "names stand there as they are"
    assert [json.loads(row) for row in rows] == [
        {
            "seconds": 1.2346,
            "label": "Läufer",
            "predictions": [{"class": "Läufer", "score": 0.712346}, {"class": "jump", "score": 0.2}],
            "lag_seconds": 0.1235,
            "dropped": 4,
        },
        {
            "seconds": 2.0,
            "label": "run",
            "predictions": [{"class": "run", "score": 0.712346}, {"class": "jump", "score": 0.2}],
            "lag_seconds": None,
            "dropped": 0,
        },
    ]
    assert said.text == ""
    assert lines._file.closed
    with Lines(path, top=1, shown=False) as lines:
        lines.say(label(seconds=3), 0)
    assert [json.loads(row)["seconds"] for row in path.read_text().splitlines()] == [3.0], "written anew"


def test_a_file_that_cannot_be_written_is_told_with_its_option(tmp_path):
    with pytest.raises(ConfigError, match=f"--jsonl {tmp_path}: cannot be written"):
        Lines(tmp_path, top=1, shown=False)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--jsonl: .*file.*: cannot be made"):
        Lines(tmp_path / "file" / "new" / "lines.jsonl", top=1, shown=False)


def test_a_dash_is_the_console_which_stays_open(console, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = console(terminal=True)
    with Lines("-", top=1, shown=False) as lines:
        lines.say(label(), 0)
    assert json.loads(said.text)["label"] == "run"
    assert not said.closed
    assert list(tmp_path.iterdir()) == [], "and no file of this name is made"


def test_without_a_file_and_words_nothing_is_said(console):
    said = console()
    with Lines(None, top=1, shown=False) as lines:
        lines.say(label(), 0)
    assert said.text == ""


def test_the_console_says_what_is_new_and_every_ten_seconds_what_is_not(console, clock):
    said = console()
    with Lines(None, top=2, shown=True) as lines:
        for at, seconds, best in (
            (5.0, 0.5, "run"),
            (14.9, 1.0, "run"),
            (15.0, 1.5, "run"),
            (15.1, 1.987, "jog"),
            (15.2, 2.5, "run"),
            (15.3, 3.0, "run"),
            (25.1, 3.5, "run"),
            (25.2, 4.0, "run"),
        ):
            clock[0] = at
            lines.say(label(seconds=seconds, best=best), 9)
    assert said.text.splitlines() == [
        "0.5 s   run 0.712   jump 0.200",
        "1.5 s   run 0.712   jump 0.200",
        "1.99 s   jog 0.712   jump 0.200",
        "2.5 s   run 0.712   jump 0.200",
        "4 s   run 0.712   jump 0.200",
    ]


def test_a_live_source_tells_how_far_it_is_behind(console, clock):
    said = console()
    with Lines(None, top=1, shown=True) as lines:
        lines.say(label(lag=0.31), 2)
    assert said.text == "1 s   run 0.712   0.3 s behind, 2 steps dropped\n"


def test_the_first_label_is_said_at_once_on_a_machine_that_has_just_started(console, clock):
    """A clock may count from anywhere, from below 0 as well."""
    for terminal in (False, True):
        said = console(terminal=terminal)
        clock[0] = -1e6
        with Lines(None, top=1, shown=True) as lines:
            lines.say(label(best=""), 0)
        assert "0.712" in said.text


def test_a_terminal_has_one_line_that_is_written_over(console, clock):
    said = console(terminal=True)
    with Lines(None, top=1, shown=True) as lines:
        for at, seconds, best in (
            (0.0, 1, "running"),
            (0.05, 2, "jog"),
            (0.125, 3, "jog"),
            (0.2, 4, "run"),
            (0.25, 5, "a"),
        ):
            clock[0] = at
            lines.say(label(seconds=seconds, best=best), 0)
    first, second, third = "1 s   running 0.712", "3 s   jog 0.712    ", "5 s   a 0.712  "
    assert said.text == f"\r{first}\r{second}\r{third}\n", "what the line before had longer is blotted out"


def test_a_terminal_line_comes_again_after_a_tenth_of_a_second(console, clock, monkeypatch):
    monkeypatch.setattr(stream_lines, "TERMINAL_SECONDS", 0.125)  # which sums of binary numbers hit
    said = console(terminal=True)
    with Lines(None, top=1, shown=True) as lines:
        for at in (1.0, 1.125):
            clock[0] = at
            lines.say(label(seconds=at), 0)
    assert said.text.count("\r") == 2


def test_a_terminal_on_which_nothing_was_said_gets_no_line(console):
    said = console(terminal=True)
    with Lines(None, top=1, shown=True):
        pass
    assert said.text == ""


def test_a_narrow_console_gets_what_it_can_hold(console, clock):
    for terminal, told in ((True, "\r1 s   L\\xe4ufer 0.712\n"), (False, "1 s   L\\xe4ufer 0.712\n")):
        said = console(terminal=terminal, encoding="ascii")
        with Lines(None, top=1, shown=True) as lines:
            lines.say(label(best="Läufer"), 0)
        assert said.text == told
