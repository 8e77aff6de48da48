"""`path class` lines: where the path ends and the class begins."""

import pytest

from vidtok.data.formats.named import read_named
from vidtok.data.lists import open_list
from vidtok.errors import DataError


def write(folder, text):
    (folder / "train.txt").write_text(text, encoding="utf-8")
    return folder / "train.txt"


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        ("a.mp4 run", "a.mp4", "run"),
        ("a.mp4\trun", "a.mp4", "run"),
        ("a b.AVI  playing guitar", "a b.AVI", "playing guitar"),
        ("a.mp4,run", "a.mp4", "run"),
        ("a.mp4 ; run", "a.mp4", "run"),
        ("a.mp4::run fast", "a.mp4", "run fast"),
        ("a,b.mp4,run", "a,b.mp4", "run"),
        ('"a b.mp4" run', "a b.mp4", "run"),
        ('"a b.mp4" "run, fast"', "a b.mp4", "run, fast"),
        ('a.mp4,"run, fast"', "a.mp4", "run, fast"),
        ("a.mp4 wave 1", "a.mp4", "wave 1"),
        ("a.mp4,wave 1", "a.mp4", "wave 1"),
        ("k/a.v1.mp4 run", "k/a.v1.mp4", "run"),
        ("a.mp4\trun, fast", "a.mp4", "run, fast"),
    ],
)
def test_a_video(tmp_path, line, name, label):
    records, classes = open_list(write(tmp_path, f"{line}\n"))
    assert (records.form, records[0].video_id, records[0].labels, classes) == ("paths", name, (0,), (label,))


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [("imgs run", "imgs", "run"), ("im gs\trun fast", "im gs", "run fast"), ("imgs,run fast", "imgs", "run fast")],
)
def test_a_folder_of_pictures(tmp_path, line, name, label):
    (tmp_path / name).mkdir()
    records, classes = open_list(write(tmp_path, f"{line}\n"))
    assert (records[0].video_id, classes) == (name, (label,))


def test_what_can_be_cut_at_several_places_is_told_by_classes_or_disk_or_refused(tmp_path):
    path = write(tmp_path, "im gs run fast\n")
    message = r"train.txt:1: where does the path end in 'im gs run fast'\? Put a tab"
    with pytest.raises(DataError, match=message):
        read_named(path, root=tmp_path)
    (tmp_path / "im gs").mkdir()
    assert read_named(path, root=tmp_path)[0][0].video_id == "im gs"
    (tmp_path / "im gs run").mkdir()
    with pytest.raises(DataError, match=message):
        read_named(path, root=tmp_path)
    assert read_named(path, root=tmp_path, classes=["fast"])[0][0].video_id == "im gs run"
    path = write(tmp_path, "a.mp4 b.mp4 run\n")
    with pytest.raises(DataError, match="where does the path end"):
        read_named(path, root=tmp_path)
    (tmp_path / "a.mp4 b.mp4").touch()
    assert read_named(path, root=tmp_path)[0][0].video_id == "a.mp4 b.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 run\nb.mp4\n", r":2: no label behind the path in 'b.mp4'; write `path label`"),
        ("a.mp4 run\nb.mp4 3\n", r":(1: no whole number|2: numbers and names)"),
        ("a.mp4 run\nb.mp4 -1\n", r":1: no whole number"),
        ("a.mp4,run,train\n", r":1: 3 columns; write `path,class`, or a header"),
        ("a.mp4\trun\ttrain\n", r":1: 3 columns; write `path\tclass`, or a header"),
        ("a.mp4 b.mp4\n", r": a list of videos without labels"),
        ("clip,kind\na.mp4,run\n", r":1: no column 'label'; the header is 'clip,kind'; understood are"),
        (
            "thing,kind\na.mp4,run\n",
            r":1: 'thing' is neither a video's name nor on disk below .*; if the line is",
        ),
    ],
)
def test_wrong_lines_are_named(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"train.txt{message}"):
        open_list(write(tmp_path, text))


def test_given_classes(tmp_path):
    path = write(tmp_path, "a.mp4 tasting food, wine\nb.mp4 run\n")
    records, classes = open_list(path, classes=["run", "tasting food, wine"])
    assert (classes, [record.labels for record in records]) == (("run", "tasting food, wine"), [(1,), (0,)])
    with pytest.raises(DataError, match=r"train.txt:2: 'run' is none of the 2 classes \(the nearest: 'runs'\)"):
        open_list(path, classes=["runs", "tasting food, wine"])


def test_a_file_may_begin_like_a_comment(tmp_path):
    (tmp_path / "#437 ride.avi").touch()
    records, _ = open_list(write(tmp_path, "# a comment\n#437 ride.avi ride\n#438 ride.avi ride\nb.avi walk\n"))
    assert [record.video_id for record in records] == ["#437 ride.avi", "b.avi"]
    assert records.notes == ("2 lines that begin with # are comments",)


def test_a_class_may_hold_the_separator_where_classes_are_given(tmp_path):
    path = write(tmp_path, "a.mp4,tasting food, wine\nb.mp4,run\nc.mp4,tasting food, wine\n")
    records, _ = open_list(path, classes=["run", "tasting food, wine"])
    assert [record.labels for record in records] == [(1,), (0,), (1,)]
