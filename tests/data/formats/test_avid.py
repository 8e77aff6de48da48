"""AViD: classes come from training, and videos without action have a rule."""

import json

import pytest

from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError


def write(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def test_validation_takes_the_classes_of_training(tmp_path):
    train = write(tmp_path, "avid_train.json", {"a.mp4": "run", "b.mp4": "jump", "c.mp4": "none"})
    val = write(tmp_path, "avid_val.json", {"d.mp4": "run", "e.mp4": ""})
    _, classes = open_list(train)
    assert classes == ("jump", "none", "run")
    assert [record.labels for record in read_list(val, classes=classes)] == [(2,), (1,)]
    assert [record.labels for record in read_list(val)] == [(1,), (0,)]  # by itself it would count otherwise


def test_the_rule_is_told(tmp_path):
    path = write(tmp_path, "val.json", {"a.mp4": "run", "b.mp4": "none", "c.mp4": " "})
    words = "2 videos that show no action (class none or empty)"
    assert open_list(path)[0].notes == (f"{words} make the class 'none'",)
    assert open_list(path, options={"none": "drop"})[0].notes == (f"{words} are left out",)
    assert open_list(write(tmp_path, "val.json", {"a.mp4": "run"}))[0].notes == ()


def test_none_needs_its_class(tmp_path):
    path = write(tmp_path, "val.json", {"b.mp4": "none"})
    with pytest.raises(DataError, match=r"val.json: 'none' is none of the 2 classes"):
        read_list(path, classes=["jump", "run"])
    with pytest.raises(DataError, match="no video shows an action"):
        open_list(path, classes=["jump", "run"], options={"none": "drop"})


def test_other_contents_are_named(tmp_path):
    for content, message in [
        ({"a.mp4": "run", "b.mp4": 3}, r"'b.mp4': the class is a text, not 3"),
        ([], r"a list of AViD is an object"),
    ]:
        with pytest.raises(DataError, match=message):
            read_list(write(tmp_path, "val.json", content), format="avid")
