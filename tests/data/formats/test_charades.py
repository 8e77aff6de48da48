"""Charades: actions with times, and rows per frame; the plain-loop form of both."""

import random

import pytest

from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError

HEADER = "original_vido_id video_id frame_id path labels\n"


def write(folder, text):
    path = folder / "train.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("action", ["c157 0 1", "92 0.0 1.0", "c092 1.0", "c092 -1 2", "c092,1,2"])
def test_wrong_actions_are_named(tmp_path, action):
    path = write(tmp_path, f'id,actions\nA,c092 1.0 2.0\nB,"c001 0 1;{action}"\n')
    with pytest.raises(DataError, match=rf"train.csv:3: an action is written `c092 11.90 21.20`.*not '{action}'"):
        read_list(path)


def test_an_action_that_ends_before_it_begins_counts_in_testing_only(tmp_path):
    records = read_list(write(tmp_path, "id,actions\nA,c092 3.0 2.0;c001 0 1\n"))
    assert (records[0].labels, records[0].intervals) == ((92, 1), ((3.0, 3.0), (0.0, 1.0)))
    assert records.notes == ("1 actions end before they begin: they count in testing only",)


def test_class_names_may_be_given(tmp_path):
    path = write(tmp_path, "id,actions\nA,c001 3.0 4.0\n")
    assert read_list(path, classes=[f"class {label}" for label in range(157)])[0].labels == (1,)


def test_rows_per_frame_say_at_every_time_what_they_said(tmp_path):
    """Drawn rows; at the middle of each frame exactly its own labels are on."""
    draw = random.Random(3)
    shown = [[draw.sample(range(4), draw.randint(0, 3)) for _ in range(draw.randint(1, 30))] for _ in range(20)]
    rows = [
        f'V{video} {video} {frame} V{video}/V{video}-{frame + 1:06d}.jpg "{",".join(map(str, labels))}"\n'
        for video, frames in enumerate(shown)
        for frame, labels in enumerate(frames)
    ]
    records = read_list(write(tmp_path, HEADER + "".join(rows)))
    assert [record.video_id for record in records] == [f"V{video}" for video in range(20)]
    for record, frames in zip(records, shown, strict=True):
        for frame, labels in enumerate(frames):
            middle = (frame + 0.5) / 24
            pairs = zip(record.labels, record.intervals, strict=True) if record.labels else ()
            on = [label for label, (start, end) in pairs if start < middle < end]
            assert sorted(on) == sorted(labels)
        assert all(end <= len(frames) / 24 for _, end in record.intervals)


def test_frames_before_a_video_where_both_are_there(tmp_path):
    path = write(tmp_path, HEADER + 'A 0 0 A/A-000001.jpg "1"\n')
    assert read_list(path)[0].path == tmp_path / "A"
    (tmp_path / "A.mp4").touch()
    assert read_list(path)[0].path == tmp_path / "A.mp4"
    (tmp_path / "A").mkdir()
    assert (read_list(path)[0].path, read_list(path)[0].fps) == (tmp_path / "A", 24.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('A 0 2 A/A-000003.jpg "1", "2"', "a row is `ID video_id frame_id path"),
        ("A 0 2 A/A-000003.jpg", "a row is `ID video_id frame_id path"),
        ('A 0 x A/A-000003.jpg "1"', "a row is `ID video_id frame_id path"),
        ('A 0 2 A/A-000003.jpg "157"', "labels are numbers from 0 to 156"),
        ('A 0 2 A/A-000003.jpg "1;2"', "labels are numbers from 0 to 156"),
    ],
)
def test_wrong_rows_are_named(tmp_path, row, message):
    with pytest.raises(DataError, match=rf"train.csv:4: {message}"):
        read_list(write(tmp_path, f'{HEADER}A 0 0 A/A-000001.jpg "1"\nA 0 1 A/A-000002.jpg ""\n{row}\n'))


def test_rows_of_a_video_stand_together(tmp_path):
    rows = [f'{video} 0 0 {video}/{video}-000001.jpg "1"\n' for video in "ABA"]
    with pytest.raises(DataError, match=r"train.csv:4: frames of A again; the rows of a video follow each other"):
        read_list(write(tmp_path, HEADER + "".join(rows)))


def test_lists_without_rows(tmp_path):
    for text in (HEADER, "id,actions\n"):
        with pytest.raises(DataError, match="the list is empty"):
            read_list(write(tmp_path, text))


def test_lines_of_other_lengths_are_named(tmp_path):
    with pytest.raises(DataError, match=r"train.csv:3: 3 cells, but the header has 2"):
        read_list(write(tmp_path, "id,actions\nA,c001 0 1\nB,c001 0 1,x\n"))


def test_videos_and_frames_that_are_not_there_have_their_usual_names(tmp_path):
    (tmp_path / "B").mkdir()
    records = read_list(write(tmp_path, "id,actions\nA,c001 0 1\nB, c156 0 1 ; c000 2.5 3.5;\n"))
    assert [(record.path.name, record.fps) for record in records] == [("A.mp4", None), ("B", 24.0)]
    assert (records[1].labels, records[1].intervals) == ((156, 0), ((0.0, 1.0), (2.5, 3.5)))
    assert records.notes == ()
    path = write(tmp_path, HEADER + 'A 0 0 in/A/1.jpg "1"\nA 0 1 in/A/2.jpg ""\nB 1 0 B-1.jpg "0"\nC 2 0 C-1.jpg "3"\n')
    records, classes = open_list(path, options={"fps": 10.0})
    assert [(record.path.name, record.fps) for record in records] == [("A", 10.0), ("B", 10.0), ("C.mp4", None)]
    assert records[0].intervals == ((0.0, 0.1),)
    assert (records[0].path, len(classes), classes[7]) == (tmp_path / "in" / "A", 157, "c007")
