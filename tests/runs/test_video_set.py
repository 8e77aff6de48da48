"""Which videos a command works through."""

from pathlib import Path

import pytest

from vidtok.errors import DataError
from vidtok.runs.video_set import find_videos


def test_lists_share_videos(tmp_path: Path):
    (tmp_path / "train.csv").write_text("a.mp4 0\nb.mp4 1\na.mp4 2\n")
    (tmp_path / "val.csv").write_text("path,labels\nb.mp4,0\nc.mp4,1\n")
    videos = find_videos([tmp_path / "train.csv", tmp_path / "val.csv"], root=None, endings=(".mp4",))
    assert videos.names == ("a.mp4", "b.mp4", "c.mp4")
    assert videos.path("c.mp4") == tmp_path / "c.mp4"
    videos = find_videos([tmp_path / "val.csv"], root=tmp_path / "else", endings=(".mp4",))
    assert videos.path("c.mp4") == tmp_path / "else" / "c.mp4"


def test_a_folder_at_any_depth(tmp_path: Path):
    for name in ("b/2.MP4", "b/1.mp4", "a/x/3.webm", "0.mp4", "b/notes.txt", ".trash/4.mp4", "b/.5.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    videos = find_videos([tmp_path], root=None, endings=(".mp4", ".webm"))
    assert videos.names == ("0.mp4", "a/x/3.webm", "b/1.mp4", "b/2.MP4")
    with pytest.raises(DataError, match="no videos in it"):
        find_videos([tmp_path / "b"], root=None, endings=(".avi",))


def test_what_does_not_go_together(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.csv").write_text("a.mp4 0\n")
    lists = [tmp_path / "one" / "list.csv", tmp_path / "two" / "list.csv"]
    with pytest.raises(DataError, match="--root"):
        find_videos(lists, root=None, endings=(".mp4",))
    with pytest.raises(DataError, match="name one folder, or lists"):
        find_videos([tmp_path, lists[0]], root=None, endings=(".mp4",))
    assert find_videos(lists, root=tmp_path, endings=(".mp4",)).path("a.mp4") == tmp_path / "a.mp4"
