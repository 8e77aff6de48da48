"""Seconds of each phase add up."""

import pytest

from vidtok.runs import laps


def test_phases_end_one_after_the_other(monkeypatch):
    clock = iter([10.0, 12.5, 13.0, 20.04])
    monkeypatch.setattr(laps, "monotonic", lambda: next(clock))
    own = laps.Laps()
    own.end("reading")
    own.end("fitting")
    own.end("reading")
    assert own.words() == "seconds: reading 9.5, fitting 0.5"
    assert own.total == pytest.approx(10.04)
