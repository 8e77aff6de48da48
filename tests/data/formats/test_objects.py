"""Lists in JSON: what is wrong in them is named with its place."""

import json

import pytest

from vidtok.data.formats.objects import is_json_lines, is_table, read_objects
from vidtok.errors import DataError


def read(folder, content, name="a.json", classes=None):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return read_objects(folder / name, root=folder, classes=classes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", [{"video": "a.mp4", "label": 0.5}], r"entry 0 \(from 0\): a label is a whole number .* not '0.5'"),
        ("a.json", [{"video": "a.mp4", "label": True}], "a label is a whole number .* not True"),
        ("a.json", [{"video": "a.mp4", "label": {"x": 1}}], "a label is a whole number"),
        ("a.json", [{"video": 3, "label": 1}], "video is the path of a video, not 3"),
        ("a.json", [{"video": "", "label": 1}], "video is the path of a video, not ''"),
        ("a.json", [{"video": "a", "label": 1}, {"video": "b"}], r"entry 1 .*: no column 'label'"),
        ("a.json", [{"video": "a", "label": 1}, {"video": "b", "label": "x"}], "entry 1 .*numbers and names"),
        ("a.json", [{"video": "a", "label": 1, "start": "1"}], "start is a number from 0 on, or null, not '1'"),
        ("a.json", [{"video": "a", "label": 1, "start": 2, "end": 1}], "ends at 1 s, before it begins at 2 s"),
        ("a.json", [{"video": "a", "label": 1, "fps": 0}], "fps is above 0"),
        ("a.json", ["a.mp4"], r"a list in JSON is \[{"),
        ("a.jsonl", '{"video": "a", "label": 1}\n{"video":\n', r"a.jsonl:2: not valid JSON"),
        ("a.jsonl", '{"video": "a", "label": 1}\n[1]\n', r"a.jsonl:2: an object such as"),
        ("a.jsonl", "", r"a.jsonl: the list is empty"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content, name)


def test_labels(tmp_path):
    content = [{"path": "a", "labels": labels} for labels in ("run", [], None, "", ["jump", "run"])]
    records, classes = read(tmp_path, content)
    assert (classes, [record.labels for record in records]) == (("jump", "run"), [(1,), (), (), (), (0, 1)])
    records, classes = read(tmp_path, {"a.mp4": 2, "b.mp4": 10.0}, classes=["0", "1", "2", "10"])
    assert (classes, [record.labels for record in records]) == (("0", "1", "2", "10"), [(2,), (3,)])
    records, _ = read(tmp_path, [{"video": "a.mp4", "label": "eat; drink", "fps": 12}], classes=["eat; drink"])
    assert (records[0].labels, records[0].fps) == ((0,), 12.0)


def test_told_from_others(tmp_path):
    assert is_json_lines(tmp_path / "a.jsonl", [])
    assert is_json_lines(tmp_path / "a.txt", ['{"a": 1}'])
    assert not is_json_lines(tmp_path / "a.txt", ["{a b.mp4 1"])
    assert not is_json_lines(tmp_path / "a.txt", ['{"a": 1'])
    assert not is_json_lines(tmp_path / "a.txt", ['"a": 1}'])
    assert not is_json_lines(tmp_path / "a.txt", [])
    assert is_json_lines(tmp_path / "a.ndjson", [])
    assert not is_table([{"a": 1}, 3])
    assert is_table([{"a": 1}])
    assert not is_table([])
    assert not is_table({"a": True})
    assert not is_table({"a": {"b": 1}})
    assert not is_table({})
    assert is_table({"a": [1, "b"]})
    assert not is_table({"a": [[1]]})


@pytest.mark.parametrize(("name", "place"), [("a.json", "a.json"), ("a.jsonl", "a.jsonl:1")])
def test_json_of_any_depth_is_an_error(tmp_path, name, place):
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(DataError, match=rf"{place}: not valid JSON: .*recursion"):
        read_objects(tmp_path / name, root=tmp_path)
