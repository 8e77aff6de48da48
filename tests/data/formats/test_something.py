"""Something-Something: class files of its own, and what is wrong in entries."""

import json

import pytest

from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError


def test_videos_come_before_folders_and_both_are_found(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps([{"id": str(i), "template": "Closing [something]"} for i in (1, 2, 3)]))
    (tmp_path / "1.mp4").touch()
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    found = [(record.path.name, record.fps) for record in read_list(path)]
    assert found == [("1.mp4", None), ("2", 12.0), ("3.webm", None)]


def test_given_classes_win_over_the_file_beside(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("1;Digging\n")
    (tmp_path / "something-something-v1-labels.csv").write_text("Closing\nDigging\n")
    assert open_list(path)[1] == ("Closing", "Digging")
    assert open_list(path, classes=["Digging"])[0][0].labels == (0,)
    with pytest.raises(DataError, match=r"train.csv:1: 'Digging' is none of the 1 classes"):
        open_list(path, classes=["Closing"])


@pytest.mark.parametrize("line", ["2", "2;", "x;Digging", ";Digging"])
def test_wrong_lines_are_named(tmp_path, line):
    path = tmp_path / "train.csv"
    path.write_text(f"1;Digging\n{line}\n")
    with pytest.raises(DataError, match=rf"train.csv:2: a line is `ID;class`, with a number as ID, not '{line}'"):
        read_list(path, format="something_v1")


def test_wrong_entries_are_named(tmp_path):
    path = tmp_path / "train.json"
    for entry in ({"id": "2"}, {"template": "a"}, "2", {"id": "2", "template": 3}):
        path.write_text(json.dumps([{"id": "1", "template": "Digging"}, entry]))
        with pytest.raises(DataError, match=r"train.json: entry 1 \(from 0\) has no id or no template"):
            read_list(path)
    path.write_text("[]")
    with pytest.raises(DataError, match=r"a list of Something-Something v2 is"):
        read_list(path, format="something_v2")


def test_the_first_version_is_of_folders_of_frames(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("1;Digging\n2;Closing\n3;Digging\n")
    (tmp_path / "2.webm").touch()
    (tmp_path / "3").mkdir()
    records, classes = open_list(path)
    assert [(each.path.name, each.fps) for each in records] == [("1", 12.0), ("2.webm", None), ("3", 12.0)]
    assert (classes, records.form) == (("Closing", "Digging"), "something_v1")
    assert open_list(path, options={"fps": 30.0})[0][0].fps == 30.0
