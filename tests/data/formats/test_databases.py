"""ActivityNet's form of JSON, COIN, and Kinetics in JSON."""

import json

import pytest

from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.formats.databases import (
    is_activitynet,
    is_coin,
    is_kinetics_json,
    read_activitynet,
    read_coin,
    read_kinetics_json,
)
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        (
            "ActivityNet",
            "1 parts end before they begin and are left out, such as LIST: 'sJFgo9H6zNo': annotations 1 (from 0)",
        ),
        ("ActivityNet, a subset by its name", ""),
        ("Kinetics, JSON", ""),
        ("COIN, steps", ""),
        ("COIN, tasks", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("ActivityNet", '"segment": [1.5', '"segment": ["1.5"', r"'sJFgo9H6zNo': annotations 0 \(from 0\): segment is"),
        ("ActivityNet", '"sJFgo9H6zNo"', '"../../x"', r"'../../x': '../../x' is no id of a video"),
        ("ActivityNet", '"Fun sliding down"', "null", r"annotations 0 \(from 0\): a label is the name of a class"),
        ("Kinetics, JSON", "[59.0, 69.0]", "[59.0]", r"'-3B32lodo2M': segment is \[start, end\] in seconds"),
        ("COIN, steps", '"recipe_type": 13', '"recipe_type": "a/b"', r"recipe_type: 'a/b' is no id of a video"),
        ("COIN, tasks", '"start": 6', '"start": "6"', r"start and end is \[start, end\] in seconds"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        (
            "ActivityNet, a subset by its name",
            "subset",
            r"no video of the subset training or train; there are: Test \(1\), V",
        ),
        ("COIN, steps", "label", r"say `label`=task or `label`=step, not None"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})


def test_told_from_other_json():
    assert is_activitynet({"database": {"a": {}, "b": {"annotations": []}}})
    assert is_coin({"database": {"a": {}, "b": {"annotation": [], "recipe_type": 1}}})
    for other in ({"database": {"a": {"annotations": {}}}}, {"database": {"a": {"annotation": []}}}, {"database": []}):
        assert not is_activitynet(other)
        assert not is_coin(other)
    assert not is_coin({"database": {"a": {"recipe_type": 1}}})
    assert not is_activitynet([])
    assert is_kinetics_json({"a": {"annotations": {}}})
    for other in ({}, [], {"a": {"annotations": {}}, "b": {"annotations": []}}, {"a": {"annotations": {}}, "b": "x"}):
        assert not is_kinetics_json(other)


def write(folder, content):
    (folder / "list.json").write_text(json.dumps(content))
    return folder / "list.json"


def test_parts_have_several_names_and_videos_several_places(tmp_path):
    subsets = ("training", "train", "validation", "val", "validate", "testing")
    item = {"segment": [1, 2.5], "label": "run"}
    path = write(
        tmp_path, {"database": {f"id{i}": {"subset": s, "annotations": [item]} for i, s in enumerate(subsets)}}
    )
    for name in ("v_id0.mp4", "run/id1.webm", "validation/v_id2.mp4", "val/run/id3.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {part: read_activitynet(path, root=tmp_path, part=part)[0] for part in ("train", "val")}
    names = {part: [str(record.path.relative_to(tmp_path)) for record in own] for part, own in found.items()}
    assert names["train"] == ["v_id0.mp4", "run/id1.webm"]
    assert names["val"] == ["validation/v_id2.mp4", "val/run/id3.mp4", "v_id4.mp4"]
    assert [record.video_id for record in found["val"]] == ["id2", "id3", "id4"]
    assert [record.video_id for record in read_activitynet(path, root=tmp_path)[0]] == ["id0", "id1"], (
        "training unasked"
    )
    own = read_activitynet(path, root=tmp_path, subset="testing")[0]
    assert [(each.video_id, each.start_seconds, each.end_seconds) for each in own] == [("id5", 1.0, 2.5)]
    with pytest.raises(DataError, match=r"no video of the subset x; there are: training \(1\), train \(1\)"):
        read_activitynet(path, root=tmp_path, subset="x")
    for content, words in [
        ({"database": []}, 'no object "database" in it'),
        ({"database": {"a": 3}}, "'a': an object, not 3"),
        ({"database": {"a": {"subset": "train", "annotations": {}}}}, "annotations is a list of objects"),
        ({"database": {"a": {"subset": "train", "annotations": ["x"]}}}, r"annotations 0 \(from 0\): an object"),
    ]:
        with pytest.raises(DataError, match=words):
            read_activitynet(write(tmp_path, content), root=tmp_path)


def test_coin_is_tested_on_its_subset_testing(tmp_path):
    video = {"recipe_type": 13, "class": "MakeTea", "start": 7, "end": 80}
    steps = [{"segment": [7.0, 20.0], "label": "boil"}, {"segment": [30, 40], "label": "pour"}]
    database = {name: {**video, "subset": name, "annotation": steps} for name in ("training", "testing")}
    path = write(tmp_path, {"database": database})
    (tmp_path / "training.mkv").touch()
    for part, name in (("train", "training.mkv"), ("val", "13/testing.mp4")):
        (task,), classes = read_coin(path, root=tmp_path, part=part, label="task")
        assert (task.path, task.start_seconds, task.end_seconds) == (tmp_path / name, 7.0, 80.0)
        assert classes == ("MakeTea",)
        own, classes = read_coin(path, root=tmp_path, part=part, label="step")
        assert [(each.labels, each.start_seconds) for each in own] == [((0,), 7.0), ((1,), 30.0)]
        assert classes == ("boil", "pour")


def test_kinetics_in_json_is_of_trimmed_videos_unless_it_is_said(tmp_path):
    item = {"annotations": {"label": "run", "segment": [3, 13]}, "subset": "validate"}
    path = write(tmp_path, {"abc": item})
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "abc.mp4").touch()
    for options, start in (({}, None), ({"untrimmed": True}, 3.0)):
        (record,), classes = read_kinetics_json(path, root=tmp_path, **options)
        assert (record.path.name, record.start_seconds, classes) == ("abc.mp4", start, ("run",))
    for wrong, words in (
        ({"annotations": {"label": "run"}}, "segment is"),
        ({"annotations": {"segment": [1, 2]}}, "label"),
    ):
        with pytest.raises(DataError, match=f"'b': .*{words}"):
            read_kinetics_json(write(tmp_path, {"abc": item, "b": wrong}), root=tmp_path)


def test_published_parts_that_end_before_they_begin_are_counted(tmp_path):
    steps = [{"segment": [20.0, 7.0], "label": "boil"}, {"segment": [30, 40], "label": "pour"}]
    video = {"recipe_type": 13, "class": "MakeTea", "start": 7, "end": 80, "subset": "training", "annotation": steps}
    path = write(tmp_path, {"database": {"a": video}})
    records, classes = read_coin(path, root=tmp_path, label="step")
    assert (len(records), classes) == (1, ("pour",))
    assert records.notes[0].startswith("1 parts end before they begin and are left out, such as")
