"""Folders with a sub-folder per class."""

import os

import pytest

from vidtok.data.formats.folder import find_media, read_folder
from vidtok.data.lists import open_list
from vidtok.errors import DataError


def test_folder_per_class(tmp_path):
    for name in ("run/b.mp4", "run/deep/a.AVI", "jump/x.webm", "jump/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    records, classes = read_folder(tmp_path)
    assert classes == ("jump", "run")
    assert [(r.video_id, r.labels[0]) for r in records] == [
        (os.path.join("jump", "x.webm"), 0),
        (os.path.join("run", "b.mp4"), 1),
        (os.path.join("run", "deep", "a.AVI"), 1),
    ]
    assert [r.labels[0] for r in read_folder(tmp_path, classes=["run", "walk", "jump"])[0]] == [2, 0, 0]
    with pytest.raises(DataError, match="'run' is none of the 1 classes"):
        read_folder(tmp_path, classes=["jump"])


def test_folders_without_classes_or_videos(tmp_path):
    with pytest.raises(DataError, match="no sub-folders"):
        read_folder(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no videos or pictures.*\.mp4 .*\.jpg"):
        read_folder(tmp_path)


def test_pictures_are_videos_too(tmp_path):
    (tmp_path / "n01").mkdir()
    names = ["a.JPEG", "b.jpg", "c.png", "d.webp", "e.bmp", "f.mp4"]
    for name in [*names, "g.xml"]:
        (tmp_path / "n01" / name).touch()
    records, classes = read_folder(tmp_path)
    assert classes == ("n01",)
    assert [r.video_id for r in records] == [os.path.join("n01", name) for name in names]
    assert records.notes[0].startswith(
        "5 pictures beside videos are taken for videos of one frame each, such as n01/a.JP"
    )
    (tmp_path / "n01" / "f.mp4").unlink()
    assert len(read_folder(tmp_path)[0].notes) == 1, "of pictures alone there is nothing to say"


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_classes_called_by_numbers_come_in_their_order(tmp_path):
    make(tmp_path, "0/a.mp4", "1/a.mp4", "10/a.mp4", "2/a.mp4")
    records, classes = read_folder(tmp_path)
    assert classes == ("0", "1", "2", "10")
    assert {record.video_id: record.labels for record in records}["10/a.mp4"] == (3,)
    (tmp_path / "val.txt").write_text("2/0.mp4,2\n10/0.mp4,10\n")
    listed, _ = open_list(tmp_path / "val.txt", classes=classes)
    assert [record.labels for record in listed] == [(2,), (3,)]
    assert "taken for names" in listed.notes[0]
    (tmp_path / "val.txt").write_text("2/0.mp4,2\n10/0.mp4,3\n")
    with pytest.raises(DataError, match=r"val.txt: '10/0.mp4': 3 is none of the 4 classes, whose names are numbers"):
        open_list(tmp_path / "val.txt", classes=classes)


def test_what_is_hidden_does_not_count(tmp_path):
    hidden = ("run/._a.mp4", "run/.x/b.mp4", "run/__MACOSX/c.mp4", "run/.ipynb_checkpoints/d.mp4", "run/@eaDir/e.mp4")
    make(tmp_path, "run/a.mp4", *hidden, "__MACOSX/run/a.mp4", ".ipynb_checkpoints/a.mp4", "@eaDir/a.mp4", "jump/b.mp4")
    records, classes = read_folder(tmp_path)
    assert classes == ("jump", "run")
    assert [record.video_id for record in records] == ["jump/b.mp4", "run/a.mp4"]
    assert records.notes == ()


def test_links_are_followed_once(tmp_path):
    make(tmp_path, "set/run/a.mp4", "set/jump/j.mp4", "else/deep/b.mp4", "whole/c.mp4")
    (tmp_path / "set/run/link").symlink_to(tmp_path / "else")
    (tmp_path / "set/run/loop").symlink_to(tmp_path / "set")
    (tmp_path / "set/walk").symlink_to(tmp_path / "whole")
    (tmp_path / "set/run/gone.mp4").symlink_to(tmp_path / "nowhere")
    records, classes = read_folder(tmp_path / "set")
    assert classes == ("jump", "run", "walk")
    assert [record.video_id for record in records] == ["jump/j.mp4", "run/a.mp4", "run/link/deep/b.mp4", "walk/c.mp4"]
    assert records.notes == ("1 links that lead nowhere are left out, such as run/gone.mp4",)


def test_a_folder_called_like_a_video_is_its_frames(tmp_path):
    make(tmp_path, "run/x.mp4/1.jpg", "run/x.mp4/2.jpg", "run/y.mp4/z.mp4", "jump/b.mp4")
    records, _ = read_folder(tmp_path)
    assert [record.video_id for record in records] == ["jump/b.mp4", "run/x.mp4", "run/y.mp4/z.mp4"]
    (note,) = records.notes
    assert note == "1 folders called like videos are taken for their frames, 25 per second, such as run/x.mp4"
    assert find_media(tmp_path, endings=(".mp4",)).media == ["jump/b.mp4", "run/y.mp4/z.mp4"]


@pytest.mark.parametrize(
    "names", [("train", "val"), ("Train", "TEST"), ("training",), ("train", "val", "other"), ("split", "val", "test1")]
)
def test_parts_of_a_data_set_are_no_classes(tmp_path, names):
    for name in names:
        make(tmp_path, f"{name}/run/a.mp4", f"{name}/jump/b.mp4")
    with pytest.raises(DataError, match=r"holds .*, which are parts of a data set and no classes; name one of them"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, classes=names)[1] == names
    assert len(read_folder(tmp_path / names[0])[1]) == 2


def test_one_part_among_classes_is_a_class(tmp_path):
    make(tmp_path, "train/a.mp4", "bus/b.mp4")
    assert read_folder(tmp_path)[1] == ("bus", "train")


def test_what_is_left_out_or_odd_is_said(tmp_path):
    make(tmp_path, "run/a.mp4", "jump/b.xyz", "jump/c.XYZ", "jump/d", "loose.mp4", "jump/deep/e.jpg")
    assert read_folder(tmp_path)[0].notes == (
        "1 pictures in folders below the classes are taken for videos of one frame each, such as jump/deep/e.jpg; "
        "frames of videos need a list (rawframes)",
        "1 videos beside the sub-folders are left out, such as loose.mp4",
        "3 files of other endings are left out (.xyz none)",
    )


def test_a_folder_that_may_be_too_high_or_too_low(tmp_path):
    make(tmp_path, "one/run/a.mp4", "two/run/b.mp4", "two/jump/c.mp4")
    assert "folders of the same names (run): is the folder one level too high?" in read_folder(tmp_path)[0].notes[0]
    with pytest.raises(DataError, match="1 videos lie in it directly: is it one of the classes"):
        read_folder(tmp_path / "one" / "run")


def test_more_endings(tmp_path):
    make(tmp_path, "run/a.tif", "run/b.PPM", "jump/c.tiff", "jump/d.mxf")
    assert len(read_folder(tmp_path)[0]) == 4


def test_a_class_that_is_not_utf8_is_named_and_one_in_another_form_found(tmp_path):
    make(tmp_path, "cafe\u0301/a.mp4", "run/b.mp4")
    assert read_folder(tmp_path, classes=["run", "caf\u00e9"])[0][0].labels == (1,)
    make(tmp_path, "\udcff/a.mp4")
    with pytest.raises(DataError, match=r"the sub-folder '.udcff': not a text in UTF-8"):
        read_folder(tmp_path)
