"""What belongs together: by patterns of paths, and copies by their features."""

from pathlib import Path

import pytest
import torch

from vidtok.data.csv_list import read_csv
from vidtok.data.groups import groups_by_pattern, join_copies, join_same_files, read_groups
from vidtok.data.records import Records
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


def column_of(folder: Path, text: str, rows: list[int] | None = None, *, name: str = "person") -> list:
    (folder / "list.csv").write_text("path,label,person\n" + text)
    records, _ = read_csv(folder / "list.csv", root=folder)
    return read_groups(records, range(len(records)) if rows is None else rows, name)


def test_a_column_names_the_group_row_for_row_whatever_is_a_comment(tmp_path):
    """A comment in the middle is no row; that all behind it moved up by one would go unseen."""
    assert column_of(tmp_path, "a.mp4,x,P1\n#b.mp4,x,P9\nc.mp4,y, P2 \nd.mp4,y,P1\n") == ["P1", "P2", "P1"]
    (tmp_path / "#b.mp4").touch()
    assert column_of(tmp_path, "a.mp4,x,P1\n#b.mp4,x,P9\nc.mp4,y,P2\n", [1, 2]) == ["P9", "P2"]


def test_columns_that_name_no_group_are_told(tmp_path):
    with pytest.raises(DataError, match=r"the cell of .*c\.mp4 is empty, and those of 2 in all"):
        column_of(tmp_path, "a.mp4,x,P1\nc.mp4,y,\nd.mp4,y, \n")
    assert column_of(tmp_path, "a.mp4,x,P1\nc.mp4,y,\n", [0]) == ["P1"], "of those alone that count"
    with pytest.raises(DataError, match="no column 'place'"):
        column_of(tmp_path, "a.mp4,x,P1\n", name="place")
    folder = Records(["x/a.mp4"], [(0,)], root=tmp_path, source=tmp_path)
    with pytest.raises(DataError, match="is a folder, which has no columns; a pattern for its paths has brackets"):
        read_groups(folder, [0], "person")
    assert read_groups(folder, [0], None) == [0]
    assert read_groups(folder, [0], r"(x)/") == ["x"]


LABELS = [(0,), (0,), (1,), (1,), (1,), (0,)]


def random_clips(count: int = 6, *, move: float = 40.0) -> torch.Tensor:
    """Thumbnails of clips that are their own still picture and movement, before a background that all share."""
    generator = torch.Generator().manual_seed(0)
    background = 60 * torch.randn(1, 1, 8, 10, generator=generator)
    still = 30 * torch.randn(count, 1, 8, 10, generator=generator)
    return 128 + background + still + move * torch.randn(count, 5, 8, 10, generator=generator)


def with_copies(x: torch.Tensor, *, noise: float = 5.0) -> torch.Tensor:
    """1 is 0 in another encoding, and 4 is 3 mirrored."""
    y = x.clone()
    y[1], y[4] = x[0], x[3].flip(2)
    return y + noise * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))


def test_copies_join_their_groups_and_what_these_hold():
    joined = join_copies(["a", "b", "b", "c", "d", "e"], LABELS, with_copies(random_clips()))
    assert (joined.copies, joined.contradictions) == (((0, 1), (3, 4)), ())
    same = [[one == other for other in joined.groups] for one in joined.groups]
    assert same[0] == [True, True, True, False, False, False]
    assert same[3] == [False, False, False, True, True, False]


def test_one_picture_in_front_of_which_other_things_move_is_no_copy():
    x = random_clips()
    x[1] = x[0].mean(0) + x[1] - x[1].mean(0)  # the same still picture
    x[2] = x[3] - x[3].mean(0) + x[2].mean(0)  # the same movement
    x[5] = x[4].flip(0)  # the same frames backwards
    assert join_copies(list("abcdef"), LABELS, x).copies == ()


def test_what_does_not_move_is_told_by_its_picture_and_noise_is_no_movement():
    x = random_clips(move=0.2)
    assert join_copies(list("abcdef"), LABELS, with_copies(x, noise=0.2)).copies == ((0, 1), (3, 4))
    x[1] = x[0] + 20 * torch.randn(5, 8, 10, generator=torch.Generator().manual_seed(2))
    assert join_copies(list("abcdef"), LABELS, x).copies == (), "one of them moves"


def test_copies_with_other_labels_are_joined_and_named():
    joined = join_copies(list("abcdef"), [(0,), (1,), (1,), (1, 0), (0, 1), (0,)], with_copies(random_clips()))
    assert joined.copies == ((0, 1), (3, 4))
    assert joined.contradictions == ((0, 1),)
    assert joined.groups[0] == joined.groups[1]


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
