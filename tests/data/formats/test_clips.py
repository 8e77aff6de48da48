"""Moments in Time and Diving48."""

import json

import pytest

from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.formats.clips import is_diving48, is_moments, read_diving48, read_moments
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("Moments in Time", ""),
        ("Diving48", ""),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("Moments in Time", "walking,11", "running,11", r"csv:2: a line is `class/file.mp4,class,3,1`"),
        ("Diving48", '"label": 1,', '"label": "1",', r"entry 0 \(from 0\): label, start_frame and end_frame are whole"),
        ("Diving48", '"vid_name": "8', '"vid_name": "/8', r"entry 0 \(from 0\): '/8hIfRbtP7Bg_00001' is no id"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("Diving48", "fps", r"entry 1 \(from 0\): begins at frame 30: say at which rate frames were counted, `fps`"),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})


def test_told_from_other_lists():
    good = "run/a.mp4,run,3,1"
    assert is_moments([good, "a b/x.MP4, a b ,0,10"])
    for bad in ("walk/a.mp4,run,3,1", "run/a.txt,run,3,1", "run/a.mp4,run,3", "run/a.mp4,run,x,1", "run/a.mp4,run,3,x"):
        assert not is_moments([good, bad]), bad
    assert not is_moments([])
    entry = {"vid_name": "a", "label": 0, "start_frame": 0, "end_frame": 9}
    assert is_diving48([entry, entry])
    for other in ([], {}, [entry, "a"], [entry, {**entry, "end_frame": 1} | {"x": 1}, {"vid_name": "a"}]):
        assert not is_diving48(other)


def test_moments_lie_below_the_root_or_its_parts(tmp_path):
    for name in ("run/a.webm", "training/run/b.mp4", "validation/run/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.csv").write_text("".join(f"run/{name}.mp4,run,3,1\n" for name in "abcd"))
    records, classes = read_moments(tmp_path / "list.csv", root=tmp_path)
    found = [record.video_id for record in records]
    assert found == ["run/a.webm", "training/run/b.mp4", "validation/run/c.mp4", "run/d.mp4"]
    assert classes == ("run",)


def test_dives_that_begin_later_are_parts_and_others_are_whole(tmp_path):
    def read(*entries, **options):
        path = tmp_path / "list.json"
        path.write_text(json.dumps([{"vid_name": "a", "label": 1, "start_frame": 0, **each} for each in entries]))
        return read_diving48(path, root=tmp_path, **options)

    records, classes = read({"end_frame": 9}, {"start_frame": 1, "end_frame": 9}, fps=10.0, classes=["x", "y"])
    parts = [(record.start_seconds, record.end_seconds, record.video_id, record.path.name) for record in records]
    assert parts == [(None, None, "a", "a.mp4"), (0.1, 0.9, "a", "a.mp4")]
    assert (records[0].path.parent.name, classes) == ("rgb", ("x", "y"))
    assert read({"end_frame": 9})[1] is None
    records, _ = read({"end_frame": 9}, {"start_frame": 8, "end_frame": 2}, fps=10.0)
    assert len(records) == 1
    assert records.notes[0].startswith("1 parts end before they begin and are left out")
    for wrong in ({"label": True}, {"end_frame": -1}, {"start_frame": 0.5}):
        with pytest.raises(DataError, match=r"entry 0 \(from 0\): label, start_frame and end_frame are whole numbers"):
            read({"end_frame": 9} | wrong)
    (tmp_path / "Diving48_vocab.json").write_text('[["Back", "15som"], ["Front", 2]]')
    assert read({"end_frame": 9})[1] == ("Back 15som", "Front 2")
    for vocabulary in ('{"a": []}', '[["Back"], "Front"]'):
        (tmp_path / "Diving48_vocab.json").write_text(vocabulary)
        with pytest.raises(DataError, match=r"vocab.json: a list of dives, each of them a list of words"):
            read({"end_frame": 9})
