"""Classes for clips: what is written is what `fit` reads, whole at every moment."""

import os

import pytest

from vidtok.errors import ConfigError, DataError
from vidtok.page.labels import LabelSet

NAMES = ["a.mp4", "b,c.mp4", "below/d.mp4"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "labels.csv"


def test_answers_are_in_the_list_at_once(tmp_path, file):
    labels = LabelSet(tmp_path, NAMES, file, classes=["run", "jump high"])
    assert not file.exists()
    labels.put(1, "jump high")
    labels.put(0, "run")
    assert file.read_text() == 'path,label\na.mp4,run\n"b,c.mp4",jump high\n'
    labels.put(0, "jump high")
    assert labels.label(0) == "jump high"
    assert labels.used == ["jump high"]
    labels.put(1, None)
    assert file.read_text() == "path,label\na.mp4,jump high\n"
    told = labels.told()
    assert told["classes"] == [{"name": "run", "clips": 0}, {"name": "jump high", "clips": 1}]
    assert told["clips"][0] == {"name": "a.mp4", "label": "jump high"}
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_a_list_that_is_there_is_gone_on_with(tmp_path, file):
    file.write_text("path,label\ngone.mp4,wave\na.mp4,run\n")
    labels = LabelSet(tmp_path, NAMES, file, classes=["jump"])
    assert labels.classes == ["jump", "wave", "run"]
    assert labels.label(0) == "run"
    labels.put(2, "jump")
    assert file.read_text() == "path,label\na.mp4,run\nbelow/d.mp4,jump\ngone.mp4,wave\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,labels\na.mp4,run\n", r"labels\.csv:1: is not a list of this page \(path,label\)"),
        ("", r"labels\.csv:1: is not a list"),
        ("path,label\na.mp4,run\nb.mp4\n", r"labels\.csv:3: 1 cells, expected a path and a class"),
        ("path,label\na.mp4,run\na.mp4,run\na.mp4,jump\n", r"labels\.csv:4: a\.mp4 is 'jump', and 'run' above"),
    ],
)
def test_other_lists_are_not_written_over(tmp_path, file, text, words):
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        LabelSet(tmp_path, NAMES, file)
    assert file.read_text() == text


@pytest.mark.parametrize("name", ["", "3", "3.0", "a;b", "a,b", "a:b", "a\nb", " a", "a ", "=cmd", "a" * 41, 'a"b'])
def test_names_that_a_list_cannot_hold_are_refused(tmp_path, file, name):
    labels = LabelSet(tmp_path, NAMES, file, classes=["run"])
    with pytest.raises(ConfigError, match="is no name of a class"):
        labels.set_classes(["run", name])
    assert labels.classes == ["run"]


def test_classes_can_be_changed_while_no_clip_is_lost(tmp_path, file):
    labels = LabelSet(tmp_path, NAMES, file, classes=["run"])
    labels.set_classes(["jump", "run", "Ünder-1.x"])
    labels.put(0, "jump")
    with pytest.raises(ConfigError, match="class 'jump' already"):
        labels.set_classes(["run"])
    with pytest.raises(ConfigError, match="two classes have one name"):
        labels.set_classes(["jump", "jump"])
    with pytest.raises(ConfigError, match="10 classes, and there are keys for 9"):
        labels.set_classes(["jump", *"abcdefghi"])
    for clip, label, words in ((3, "jump", "no clip 3"), (-1, "jump", "no clip -1"), (0, "swim", "no class 'swim'")):
        with pytest.raises(DataError, match=words):
            labels.put(clip, label)
    assert labels.label(0) == "jump"


def test_a_list_that_cannot_be_written_is_told_and_nothing_is_taken_as_written(tmp_path, file, monkeypatch):
    labels = LabelSet(tmp_path, NAMES, file, classes=["run"])
    labels.put(0, "run")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        labels.put(1, "run")
    assert labels.label(1) is None
    assert file.read_text() == "path,label\na.mp4,run\n"
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_names_of_any_bytes_are_kept(tmp_path, file):
    name = os.fsdecode(b"\xe9.mp4")
    labels = LabelSet(tmp_path, [name], file, classes=["run"])
    labels.put(0, "run")
    assert file.read_bytes() == b"path,label\n\xe9.mp4,run\n"
    assert LabelSet(tmp_path, [name], file).label(0) == "run"
    assert labels.told()["clips"][0]["name"] == "\\udce9.mp4"
