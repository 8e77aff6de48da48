"""Which column is the path, and which one the label."""

import re

import pytest

from vidtok.data.columns import (
    LABEL_WORDS,
    PATH_WORDS,
    UNDERSTOOD,
    is_header,
    label_columns,
    path_column,
    path_columns,
    plain_name,
    table_columns,
)
from vidtok.errors import DataError


def test_words_are_plain_and_apart():
    assert not set(PATH_WORDS) & set(LABEL_WORDS)
    assert all(re.fullmatch(r"[a-z]+", word) and plain_name(word) == word for word in (*PATH_WORDS, *LABEL_WORDS))
    assert plain_name("File_Name ") == plain_name("file name") == plain_name("fileName") == "filename"


def test_the_own_names_win():
    columns = table_columns(["video", "path", "class", "label", "start", "fps"], source="x")
    assert (columns.path, columns.label, columns.start, columns.end, columns.fps) == (
        "path",
        "label",
        "start",
        None,
        "fps",
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["clip", "video", "label"], r"x: which column is the path: 'clip' or 'video'\? Call that one path"),
        (["clip", "Class", "category"], r"x: which column is the label: 'Class' or 'category'\?"),
        (["thing", "label"], r"x: no column 'path'; the header is 'thing,label'; understood are path, or filename"),
        (["path", "fps", "fps", "label"], r"x: a column name stands twice in the header"),
    ],
)
def test_what_is_not_known_is_refused(names, message):
    with pytest.raises(DataError, match=message):
        table_columns(names, source="x")


def test_a_header_holds_words_for_columns_and_no_numbers():
    assert is_header(["File Name", "x"])
    assert is_header(["x", "CLASS"])
    assert not is_header(["video", "3"])
    assert not is_header(["video", "-1.5"])
    assert not is_header(["a.mp4", "run"])


def test_every_word_that_the_message_names_is_understood():
    paths, _, labels = UNDERSTOOD.partition(", and ")
    for words, find in ((paths.removeprefix("understood are "), path_columns), (labels.split(";")[0], label_columns)):
        names = re.findall(r"[a-z]+(?:_[a-z]+)*", words.replace(" or ", " "))
        assert len(names) > 7
        assert all(find(["x", name.upper()]) == [name.upper()] for name in names)


def test_own_columns_are_no_path_and_no_label():
    columns = table_columns(["video_id", "file", "class", "end"], source="x")
    assert (columns.video_id, columns.path, columns.label, columns.start, columns.end) == (
        "video_id", "file", "class", None, "end",
    )  # fmt: skip
    assert path_column(["x", "path", "video"], source="x") == 1
    assert label_columns(["class", "Labels", "action"]) == ["Labels"]
    assert path_columns(["video", "path"]) == ["path"]
    assert not is_header(["x", "y z"])
    assert not is_header([])
