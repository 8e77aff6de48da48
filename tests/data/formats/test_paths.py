"""`path label…` lines and mmaction2's folders of pictures: what is odd in them, and what is wrong."""

import re

import pytest
from PIL import Image

from vidtok.data.formats.paths import read_paths
from vidtok.data.lists import open_list, read_list
from vidtok.errors import DataError
from vidtok.video.frames import FramesReader


def write(folder, text):
    path = folder / "train.txt"
    path.write_text(text, encoding="utf-8")
    return path


LINE = re.compile(r"(.+?)((?:[ \t]+-?\d+)+)")


@pytest.mark.parametrize(
    "line",
    [
        "a.mp4 0",
        "a.mp4 3 4",
        "a 1 b 2",
        "a  3",
        "a\t3",
        "a b\t3",
        '"a" 3',
        '"a b" 3 4',
        "4 5",
        "x4 5",
        "1a 6",
        "é 中 7",
        "a. 8",
    ],
)
def test_plain_lines_are_read_as_odd_ones_are(tmp_path, line):
    """The short way that most lines take gives what the regular expression says."""
    expected = LINE.fullmatch(line)
    (record,) = read_paths(write(tmp_path, line), root=tmp_path)[0]
    assert record.video_id == expected[1].strip('"')
    assert record.labels == tuple(map(int, expected[2].split()))


@pytest.mark.parametrize(
    ("form", "line", "message"),
    [
        ("paths", "b.mp4", r"no whole number as a label at the end of 'b.mp4'; write `path label`"),
        ("pyslowfast", "b.mp4", r"no whole number .*; write `path label`, or `path frames label`"),
        ("pyslowfast", "b.mp4 1 2 3", r"3 numbers; write `path label` or `path frames label`"),
        ("rawframes", "b 3", r"1 whole numbers at the end of the line; write `folder frames label`"),
        ("rawframes_offset", "b 3 4", r"2 whole numbers at the end of the line; write `folder start frames label`"),
        ("rawframes", "b 3 -1", r"label -1 is negative"),
    ],
)
def test_wrong_lines_are_named(tmp_path, form, line, message):
    with pytest.raises(DataError, match=rf"train.txt:3: {message}"):
        read_list(
            write(tmp_path, f"a 1 2 3\n\n{line}\n" if form.startswith("raw") else f"a 1\n\n{line}\n"), format=form
        )


def test_a_template_says_which_pictures_are_meant(tmp_path):
    folder = tmp_path / "v"
    folder.mkdir()
    for number in range(1, 13):
        Image.new("RGB", (4, 2), (number, 0, 0)).save(folder / f"img_{number:05}.png")
        Image.new("RGB", (4, 2), (99, 0, 0)).save(folder / f"flow_x_{number:05}.png")
    options = {"template": "img_{:05}.png", "fps": 10.0}
    records, _ = open_list(write(tmp_path, "v 2 10 0\n"), format="rawframes_offset", options=options)
    record = records[0]
    assert (record.video_id, record.start_seconds, record.end_seconds, record.fps) == ("v", 0.2, 1.2, 10.0)
    with FramesReader(record.path, fps=10.0) as video:
        assert video.frames_at(range(len(video))).pixels[:, 0, 0, 0].tolist() == list(range(1, 13))
        inside = (video.pts_seconds >= record.start_seconds) & (video.pts_seconds < record.end_seconds)
    assert inside.nonzero()[:, 0].tolist() == list(range(2, 12))
