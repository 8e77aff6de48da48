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


@pytest.mark.parametrize("separator", [",", " ; ", "::", "\t", "  "])
def test_the_separator_is_found_and_comments_are_no_lines(tmp_path, separator):
    (tmp_path / "#5.mp4").touch()
    lines = [["# of May", "1"], ["x y.mp4", "3"], ['"z.mp4"', "4.0", "5"], ["#5.mp4", "6"], ["# end", "2"]]
    records, classes = read_paths(write(tmp_path, "\n".join(map(separator.join, lines))), root=tmp_path)
    found = [(each.path.name, each.labels) for each in records]
    assert (found, classes) == ([("x y.mp4", (3,)), ("z.mp4", (4, 5)), ("#5.mp4", (6,))], None)
    assert records.notes == ("2 lines that begin with # are comments",)


def test_numbers_behind_a_path_by_the_form(tmp_path):
    def read(form, line, **options):
        record = open_list(write(tmp_path, line), format=form, options=options)[0][0]
        return record.video_id, record.labels, record.start_seconds, record.end_seconds, record.fps

    assert read("pyslowfast", "a.mp4 300 7") == ("a.mp4", (7,), None, None, None)
    assert read("pyslowfast", "a.mp4,7") == ("a.mp4", (7,), None, None, None)
    assert read("rawframes", "in/v 50 7 8") == ("in/v", (7, 8), None, 2.0, 25.0)
    assert read("rawframes_offset", "v 10 40 7 8", fps=20.0) == ("v", (7, 8), 0.5, 2.5, 20.0)
    record = open_list(write(tmp_path, "v/ 50 7"), format="rawframes", options={"template": "{:05}.jpg"})[0][0]
    assert record.path == tmp_path / "v" / "*.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n# a.mp4 1\n", "train.txt: the list is empty; it needs one `path label` line per video"),
        ("a b.mp4\nc.mp4\n", "train.txt: a list of videos without labels; to train and to test, every line needs one"),
        ("a\nc\n", "train.txt: a list of videos without labels"),
        ("a 0\nb -1\n", "train.txt:2: label -1 is negative; labels count from 0"),
    ],
)
def test_lists_of_nothing_and_labels_below_0(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_paths(write(tmp_path, text), root=tmp_path)
