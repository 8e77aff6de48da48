"""CVAT: tracks and tags become parts of videos by the video's own times; what is wrong is named with its line."""

from fractions import Fraction

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.reading import assert_reads, assert_refused
from tests.video.clips import make_clip, make_late_clip
from vidtok.data.dataset import clock_seconds, open_record, part
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("CVAT, tracks", ""),
        ("CVAT, tags of a project", "1 shapes in single pictures or frames are no labels of clips, and are left out"),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("CVAT, tracks", 'label="run" source', 'source="x" label=" " source2', r"xml:19: <track> has no label"),
        ("CVAT, tracks", 'frame="20"', 'frame="2o"', r"xml:22: frame is the number of a frame, not '2o'"),
        ("CVAT, tracks", "<source>a b.mp4</source>", "", r"xml:19: this <track> is of frames, and no <source>"),
        ("CVAT, tracks", "<meta>", "<mete>", r"xml:18: not valid XML: mismatched tag"),
        (
            "CVAT, tags of a project",
            'task_id="3"',
            'task_id="5"',
            r"xml:13: this <image> is of frames, and no <source>",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("CVAT, tracks", "fps", r"xml:19: frames are counted here, and only the video tells their times: .*a b.mp4: "),
    ],
)
def test_what_a_list_does_not_say_is_asked(tmp_path, name, option, words):
    assert_refused(tmp_path, name, "", "", words, **{option: None})


def test_frames_have_the_times_of_the_video(tmp_path):
    """Which begins with its sound, 12 frames before its pictures; at 25 per second."""
    make_late_clip(tmp_path / "a b.mp4", late=Fraction(12, 25), frames=60)
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="55"'))
    records, _ = open_list(tmp_path / "annotations.xml")
    found = [(record.start_seconds, record.end_seconds) for record in records]
    assert found[0] == (pytest.approx(0.88, abs=1e-3), pytest.approx(1.28, abs=1e-3))
    assert found[1] == (pytest.approx(2.68, abs=1e-3), None)  # up to frame 99, which is not there
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="60"'))
    with pytest.raises(DataError, match=r"xml:19: frame 60 lies behind the end of a b.mp4"):
        open_list(tmp_path / "annotations.xml")


def test_a_part_that_training_reads(tmp_path):
    """From an export to frames: the record's part of the video, and no others."""
    make_clip(tmp_path / "a b.mp4", frames=60)
    (tmp_path / "annotations.xml").write_text(samples.CVAT_VIDEO.replace('frame="50"', 'frame="55"'))
    records, _ = open_list(tmp_path / "annotations.xml")
    with open_record(records[0], backend="pyav") as reader:
        assert part(records[0], clock_seconds(reader)) == (10, 20)
    with open_record(records[1], backend="pyav") as reader:
        assert part(records[1], clock_seconds(reader)) == (55, 60)


def test_other_xml_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    with pytest.raises(DataError, match=r"a.xml:1: <annotation> is no known list in XML: CVAT has <annotations>"):
        open_list(tmp_path / "a.xml")
    with pytest.raises(DataError, match=r"a.xml:1: <annotation> is no export of CVAT"):
        open_list(tmp_path / "a.xml", format="cvat")


META = "<annotations><meta><task><id>1</id><source>x.mp4</source></task>{}</meta>{}</annotations>"


def test_frames_that_follow_each_other_are_one_part_and_tracks_end_where_they_leave(tmp_path):
    tags = "".join(f'<image id="{i}" name="frame_{i}"><tag label="sit"/></image>' for i in (0, 1, 3, 8))
    boxes = "".join(
        f'<box frame="{frame}" outside="{out}"/>' for frame, out in ((2, 1), (4, 0), (5, 0), (7, 1), (9, 1))
    )
    (tmp_path / "a.xml").write_text(META.format("", f'{tags}<track label="run"><attribute/>{boxes}</track>'))
    records, classes = open_list(tmp_path / "a.xml", options={"fps": 1.0})
    parts = [(classes[each.labels[0]], each.start_seconds, each.end_seconds) for each in records]
    assert parts == [("sit", 0.0, 2.0), ("sit", 3.0, 4.0), ("sit", 8.0, 9.0), ("run", 4.0, 7.0)]
    assert records.notes == ()


def test_frames_of_several_tasks_say_which_is_theirs(tmp_path):
    more = "<task><id>2</id><source>y.mp4</source></task>"
    for own, words in (("", "no <source> in <meta> names their video"), (' task_id="2"', None)):
        image = f'<image id="0" name="frame_0"{own}><tag label="sit"/></image>'
        (tmp_path / "a.xml").write_text(META.format(more, image))
        if words is None:
            assert open_list(tmp_path / "a.xml", options={"fps": 1.0})[0][0].path.name == "y.mp4"
            continue
        with pytest.raises(DataError, match=words):
            open_list(tmp_path / "a.xml", options={"fps": 1.0})
    (tmp_path / "a.xml").write_text(META.format("", '<image id="0" name="frame_0"><tag label="sit"/></image>'))
    assert open_list(tmp_path / "a.xml", options={"fps": 1.0})[0][0].path.name == "x.mp4"
