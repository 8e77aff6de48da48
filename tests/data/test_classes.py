"""Class files: plain ones, and those of the data sets."""

import json

import pytest

from vidtok.data.classes import ClassIndex, read_classes
from vidtok.errors import DataError


def write(folder, text, name="classes.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_one_name_per_line(tmp_path):
    assert read_classes(write(tmp_path, "\ufeffa\nb c\r\n\n")) == ("a", "b c")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\n\nb\n", r":2: an empty line"), ("a\nb\na\n", r":3: .* line 1 already"), ("", "no class names")],
)
def test_wrong_lines_are_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_classes(write(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="no such class file"):
        read_classes(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 ApplyEyeMakeup\n2 Archery\n", ("ApplyEyeMakeup", "Archery")),
        ("0 abseiling\n1 air drumming\n", ("abseiling", "air drumming")),
        ("c000 Holding some clothes\nc001 Closing a door\n", ("Holding some clothes", "Closing a door")),
        ("1 apple\n3 apples\n", ("1 apple", "3 apples")),
        ("1 apple\nno apple\n", ("1 apple", "no apple")),
        ("2 apples\n3 apples\n", ("2 apples", "3 apples")),
        ("1 apple\n", ("1 apple",)),
        ("0\n1\n2\n", ("0", "1", "2")),
    ],
)
def test_numbers_in_order_before_the_names_go(tmp_path, text, names):
    assert read_classes(write(tmp_path, text)) == names


def test_json_from_names_to_numbers(tmp_path):
    labels = {"Closing something": "1", '"Digging"': 0}
    assert read_classes(write(tmp_path, json.dumps(labels), "labels.json")) == ("Digging", "Closing something")
    for content, message in [
        ({"a": 0, "b": 2}, "2 names need the numbers 0 to 1, each of them once"),
        ({"a": 0, "b": 0}, "2 names need the numbers 0 to 1"),
        ({"a": "x"}, "class numbers are whole numbers"),
        (["a"], "an object from each class name"),
    ]:
        with pytest.raises(DataError, match=message):
            read_classes(write(tmp_path, json.dumps(content), "labels.json"))


def test_names_that_come_up_are_sorted(tmp_path):
    index = ClassIndex(None, source=tmp_path)
    provisional = [index.label(name) for name in ("run", "jump", "run", "abseil")]
    relabel = index.relabel()
    assert index.names() == ("abseil", "jump", "run")
    assert [relabel[label] for label in provisional] == [2, 1, 2, 0]
    assert ClassIndex(None, source=tmp_path).names() is None


def test_given_names_keep_their_order(tmp_path):
    index = ClassIndex(["run", "jump"], source=tmp_path / "list.csv")
    assert (index.label("jump"), index.names(), index.relabel()) == (1, ("run", "jump"), None)
    with pytest.raises(DataError, match=r"list.csv:7: 'jmp' is none of the 2 classes \(the nearest: 'jump'\)"):
        index.label("jmp", line=7)
    with pytest.raises(DataError, match=r"'xyz' is none of the 2 classes \(run, jump …\)"):
        index.label("xyz")
