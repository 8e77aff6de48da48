"""A report in words names every key that was not simply used."""

from vidtok.models.weights.report import Report


def test_the_words_name_every_key_that_matters():
    report = Report(used=("a", "b"), resized=("position",), skipped=("head (other classes)",), missing=("x", "y"))
    lines = str(report).splitlines()
    assert lines[0] == "2 keys used, 1 resized, 1 skipped, 2 parameters of the network keep their start"
    assert lines[1:] == ["  resized: position", "  skipped: head (other classes)", "  missing: x", "  missing: y"]


def test_notes_come_last():
    report = Report(used=(), resized=(), skipped=(), missing=("x",), notes=("another GELU",))
    assert str(report).splitlines()[-1] == "  note: another GELU"
