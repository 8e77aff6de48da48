"""Lists line by line."""

import pytest

from vidtok.data.lines import FIRST, comment_notes, first_lines, is_comment, numbered_lines, unquoted


def test_blank_lines_are_counted_and_left_out(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("\n  a 0 \n\n\nb 1")
    assert list(numbered_lines(file)) == [(2, "a 0"), (5, "b 1")]


def test_the_first_lines_are_those_that_are_no_comments(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("# of 2024\n" + "".join(f"{i}.mp4 0\n" for i in range(FIRST + 5)))
    assert first_lines(file) == [f"{i}.mp4 0" for i in range(FIRST)]


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("# a remark", True),
        ("a.mp4 0", False),
        ("#1.mp4 0", False),
        ("#1 take.mp4,0", False),
        ("#2.mp4 0", True),
        ("#1.mp4x 0", True),
        ("#3/frames::4", False),
    ],
)
def test_a_file_whose_name_begins_as_a_comment_does_is_a_file(tmp_path, line, comment):
    for name in ("#1.mp4", "#1 take.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "#3" / "frames").mkdir(parents=True)
    assert is_comment(line, tmp_path) is comment


def test_comments_are_said_where_there_are_any():
    assert comment_notes(0) == []
    assert comment_notes(2) == ["2 lines that begin with # are comments"]


@pytest.mark.parametrize(
    ("text", "inside"), [('"a b"', "a b"), ('""', ""), ('"', '"'), ('"a', '"a'), ('a"', 'a"'), ("'a'", "'a'"), ("", "")]
)
def test_only_a_pair_of_double_quotes_is_taken_off(text, inside):
    assert unquoted(text) == inside
