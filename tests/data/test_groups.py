"""What belongs together: by patterns of paths, and copies by their features."""

from pathlib import Path

import pytest
import torch

from vidtok.data.groups import groups_by_pattern, join_copies, join_same_files
from vidtok.errors import DataError

PATHS = [Path("wave/s1_a.mp4"), Path("wave/s12_b.mp4"), Path("bend/s1_c.mp4")]


def test_brackets_name_the_group():
    assert groups_by_pattern(PATHS, r"/(s\d+)_") == ["s1", "s12", "s1"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("/(s", "not a pattern"),
        (r"s\d+", "one pair of brackets"),
        (r"(s)(\d)", "one pair"),
        ("/(p)", "not found in wave"),
    ],
)
def test_what_is_no_such_pattern_is_told(pattern, words):
    with pytest.raises(DataError, match=words):
        groups_by_pattern(PATHS, pattern)


LABELS = [(0,), (0,), (1,), (1,), (1,), (0,)]


def layouts() -> torch.Tensor:
    """Six clips, of which 1 is nearly 0 and 4 nearly 3 in the mirror; all have much in common."""
    x = torch.randn(6, 2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    x[1], x[4] = x[0] + 0.1 * x[1], x[3].flip(2) + 0.1 * x[4]
    everywhere = torch.randn(6, 1, 1, 1, 3, generator=torch.Generator().manual_seed(1))
    return x + 5 * everywhere + 9


def test_copies_join_their_groups_and_what_these_hold():
    joined = join_copies(["a", "b", "b", "c", "d", "e"], LABELS, layouts())
    assert joined.copies == ((0, 1), (3, 4))
    same = [[one == other for other in joined.groups] for one in joined.groups]
    assert same[0] == [True, True, True, False, False, False]
    assert same[3] == [False, False, False, True, True, False]


def test_only_clips_of_the_same_labels_are_copies():
    joined = join_copies(list("abcdef"), [(0,), (1,), (1,), (1,), (0,), (0,)], layouts())
    assert joined.groups == tuple("abcdef")
    assert joined.copies == ()


def test_a_class_never_becomes_one_group():
    """All of it is alike: only what is closer still is joined, and where that is all of it too, nothing."""
    x = torch.randn(6, 2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    for share, copies in ((0.4, 0), (0.02, 0)):
        near = x.clone()
        near[1:3], near[3:5] = x[:1] + share * x[1:3], x[5:] + share * x[3:5]
        labels = [(0,), (0,), (0,), (1,), (1,), (1,)]
        joined = join_copies(list("abcdef"), labels, near)
        assert len(set(joined.groups)) == 6 - copies
    near[1] = x[1]
    assert join_copies(list("abcdef"), [(0,), (0,), (0,), (1,), (1,), (2,)], near).copies == ()


def test_files_of_the_same_bytes_join_and_of_the_same_size_alone_do_not(tmp_path):
    for name, content in {"a": b"one", "b": b"two", "c": b"one", "d": b"three"}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("e", "f"):  # folders of pictures
        (tmp_path / name).mkdir()
    paths = [tmp_path / name for name in "abcdefe"]
    joined = join_same_files(list("tuvwxyz"), paths)
    assert joined.copies == ((0, 2), (4, 6))
    assert joined.groups == ("t", "u", "t", "w", "x", "y", "x")
    with pytest.raises(FileNotFoundError):
        join_same_files([0], [tmp_path / "none"])
