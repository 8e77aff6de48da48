"""Folders with a sub-folder per class."""

import os

import pytest

from vidtok.data.formats.folder import read_folder
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
