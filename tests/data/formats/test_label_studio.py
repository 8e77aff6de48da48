"""Label Studio: choices, frames at the rate that is given, seconds of the sound; annotators are not mixed."""

import json

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.formats.label_studio import is_label_studio
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


def test_whose_annotations_count_and_where_the_video_is(tmp_path):
    def choice(word):
        return {"result": [{"type": "choices", "value": {"choices": [word]}}]}

    def read(*annotations, data=None):
        (tmp_path / "a.json").write_text(
            json.dumps([{"id": 5, "data": data or {"video": "/data/x%20y.mp4"}, "annotations": list(annotations)}])
        )
        return open_list(tmp_path / "a.json")

    records, classes = read({**choice("run"), "was_cancelled": True}, choice("jump"))
    assert (len(records), classes, records[0].path.name, records.notes) == (1, ("jump",), "x y.mp4", ())
    assert read(choice("jump"), choice("jump"))[1] == ("jump",)
    local = "/data/local-files/?d=videos/0a1b2c3d-z.mp4"
    (tmp_path / "z.mp4").touch()
    assert read(choice("jump"), data={"video": local, "again": local, "text": "x"})[0][0].path == tmp_path / "z.mp4"
    sounds = [{"type": "labels", "value": {"start": start, "end": 9, "labels": ["run"]}} for start in (4, 2.5)]
    records, _ = read({"result": sounds})
    assert [(each.start_seconds, each.end_seconds) for each in records] == [(2.5, 9.0), (4.0, 9.0)]
    with pytest.raises(DataError, match="no labelled part of a video in it; 1 tasks without a label are left out"):
        read()
    for wrong, words in [
        ({"result": {}}, "task 5: an annotation has no list `result`"),
        ({"result": [{"type": "choices"}]}, "task 5: a result of the kind choices has no value"),
        ({"result": [{"type": "choices", "value": {"choices": []}}]}, "task 5: choices is a list of names"),
    ]:
        with pytest.raises(DataError, match=words):
            read(wrong)
    (tmp_path / "a.json").write_text('[{"data": {"v": "a.mp4"}, "annotations": [3]}]')
    with pytest.raises(DataError, match=r"task number 0 \(from 0\): an annotation has no list"):
        open_list(tmp_path / "a.json")


def test_told_from_other_json():
    task = {"data": {}, "annotations": []}
    assert is_label_studio([task, task])
    for other in ([], {}, [task, 3], [task, {"data": []} | {"annotations": []}], [task, {"data": {}}]):
        assert not is_label_studio(other)
