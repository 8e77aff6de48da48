"""Label Studio: choices, frames at the rate that is given, seconds of the sound; annotators are not mixed."""

import json

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        (
            "Label Studio",
            "1 results of other kinds (boxes, texts, ratings) are no labels of clips; "
            "1 tasks without a label are left out",
        ),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("Label Studio", '"start": 1,', '"start": 0,', r"task 5: ranges are \[\{\"start\": 1, \"end\": 30\}, …\]"),
        ("Label Studio", '["outside", "day"]', '"outside"', r"task 5: choices is a list of names of classes"),
        ("Label Studio", '"end": 2.25', '"end": "2.25"', r"task 6: labels have start and end in seconds, not 1.5 and"),
        ("Label Studio", "second take", "take.avi", r"task 5: which value of its data is the video\? .*video, note"),
        ("Label Studio", "x y.mp4", "x y", r"task 5: which value of its data is the video\? Called like one: none"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("Label Studio", "fps", r"task 5: timeline labels count frames, .* give it as `fps`"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})


def test_annotators_who_differ_are_not_mixed(tmp_path):
    tasks = json.loads(json.dumps(samples.LABEL_STUDIO[1:2]))
    tasks[0]["annotations"] *= 2
    path = tmp_path / "a.json"
    path.write_text(json.dumps(tasks))
    assert len(open_list(path)[0]) == 1
    tasks[0]["annotations"].append({"result": []})
    path.write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"task 6: has 3 annotations that differ; keep one of them"):
        open_list(path)
