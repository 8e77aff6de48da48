"""Names of classes as a caller gives them."""

import json

import pytest

from vidtok.errors import DataError, ModelError
from vidtok.models.class_names import class_names, numbered
from vidtok.models.create import create_model

SMALL = {"width": 24, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 32}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (1, ("0",)),
        (3, ("0", "1", "2")),
        (["a", "b"], ("a", "b")),
        ({0: "a", 1: "b"}, ("a", "b")),
        ({"1": "b", "0": "a"}, ("a", "b")),
        ({"b": 1, "a": 0}, ("a", "b")),
        ({0: "7", 1: "8"}, ("7", "8")),
    ],
)
def test_what_is_understood(given, names):
    assert class_names(given) == names
    assert create_model("vivit", classes=given, **SMALL).classes == names


def test_a_class_file_in_every_form(tmp_path):
    (tmp_path / "file.txt").write_text("jump\nrun\n")
    (tmp_path / "hub.json").write_text(json.dumps({"id2label": {"0": "jump", "1": "run"}}))
    for name in ("file.txt", "hub.json"):
        assert class_names(tmp_path / name) == class_names(str(tmp_path / name)) == ("jump", "run")
    (tmp_path / "twice.txt").write_text("jump\njump\n")
    with pytest.raises(DataError, match=r"twice.txt:2: the class 'jump' stands on line 1 already"):
        class_names(tmp_path / "twice.txt")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("file.txt", r"classes='file.txt': one text is the path of a class file, and there is no such file"),
        (0, "at least one, got 0"),
        (-1, "at least one, got -1"),
        (True, "a number, names, or a class file, got True"),
        (1.0, r"got 1\.0"),
        (b"ab", "got b'ab'"),
        ([], "at least one name"),
        ({}, r"0 to -1 its name|at least one name"),
        (["a", "b", "a"], "the class 'a' stands on name 0 already"),
        (["a", " "], "name 1: an empty class name"),
        (["a", 1], "each is the text of a name, got 1"),
        ({0: "a", 2: "b"}, "each number from 0 to 1"),
        ({"a": 0, "b": 0}, "each number from 0 to 1"),
        ({"0": 1, "1": 0}, "each number from 0 to 1"),
        ({0: "a", 1: "a"}, "stands on name 0 already"),
        ({0: 5.5, 1: "a"}, r"each is the text of a name, got 5\.5"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ModelError, match=message):
        create_model("vivit", classes=given, **SMALL)


def test_numbers_for_names():
    assert numbered(2) == ("0", "1")
