"""Videos that belong together: by a column of the list, by their paths, or because one is a copy of the other."""

import hashlib
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.data.csv_list import read_column
from vidtok.data.records import Records
from vidtok.errors import DataError
from vidtok.video.source import is_stored

COPY = 0.9
"""Cosine of two clips' thumbnails, in what stays and in what moves, from which one is taken for a copy of the other.
Among 72 clips of nine people mirrored and re-encoded copies had 0.992 and more, other pairs at most 0.70; among 300 of
surveillance cameras, some of them of the same one, no pair had more than 0.62."""
STILL = 0.5
"""Grey levels: a clip that moves less, in the root mean square over its thumbnails, does not move."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The group of each row, with those of copies joined, and the pairs of rows that were taken for copies."""

    groups: tuple[Hashable, ...]
    copies: tuple[tuple[int, int], ...]
    contradictions: tuple[tuple[int, int], ...] = ()
    """Copies of each other that have other labels."""


def read_groups(records: Records, rows: Sequence[int], group: str | None) -> list[Hashable]:
    """The group of each row: by a column of the list, by what a pattern's brackets take from its path, or its own.

    Raises DataError for a column of something that has none, and for one with empty cells, whose rows would be one
    group.
    """
    if group is None:
        return list(rows)
    if "(" in group:
        return list(groups_by_pattern([records[row].path for row in rows], group))
    source = records.source
    if source.is_dir():
        raise DataError(
            f"group {group!r}: {source} is a folder, which has no columns; a pattern for its paths has brackets around "
            "what names the group, such as '/(person\\d+)_'"
        )
    column = [cell.strip() for cell in read_column(source, group, root=records.root)]
    if len(column) != len(records):
        raise DataError(f"group {group!r}: {source} has {len(column)} cells in this column for {len(records)} records")
    if empty := [row for row in rows if not column[row]]:
        raise DataError(
            f"group {group!r}: {source}: the cell of {records[empty[0]].path} is empty, and those of {len(empty)} in "
            "all, which would be one group; give each a name, one of its own where it belongs to no other"
        )
    return [column[row] for row in rows]


def groups_by_pattern(paths: Sequence[Path], pattern: str) -> list[str]:
    """What the one pair of brackets of a regular expression takes from each path, written with `/`.

    Raises DataError for what is no such pattern, and for a path in which it is not found.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"group {pattern!r}: not a pattern: {error}") from error
    if compiled.groups != 1:
        raise DataError(f"group {pattern!r}: a pattern has one pair of brackets, around what names the group")
    found = []
    for path in paths:
        match = compiled.search(path.as_posix())
        if match is None:
            raise DataError(f"group {pattern!r}: is not found in {path}")
        found.append(match.group(1))
    return found


def join_copies(
    groups: Sequence[Hashable], labels: Sequence[tuple[int, ...]], thumbnails: Float[Tensor, "n t h w"]
) -> Joined:
    """Join the groups of clips that show the same place by place: copies, other encodings and sizes, mirrored pictures.

    `thumbnails` are small grey pictures of every clip, 0 to 255, see `infer.summarise.thumbnails`. Two clips are copies
    where both what stays, less what all clips have at a place, and what moves agree; a part of one that begins later is
    none. Pairs with other labels are joined too, and named in `contradictions`.
    """
    own = thumbnails.mean(dim=1)
    own = own - own.mean(dim=(1, 2), keepdim=True)
    still = own - (own.mean(dim=0) + own.mean(dim=0).flip(1)) / 2
    moving = thumbnails - thumbnails.mean(dim=1, keepdim=True)
    same = torch.minimum(_cosines(still, still), _cosines(moving, moving))
    mirrored = torch.minimum(_cosines(still, still.flip(2)), _cosines(moving, moving.flip(3)))
    alike = torch.maximum(same, mirrored) >= COPY
    pairs = [(one, two) for one, two in alike.triu(diagonal=1).nonzero().tolist()]
    apart = tuple((one, two) for one, two in pairs if set(labels[one]) != set(labels[two]))
    return Joined(groups=tuple(_joined(groups, pairs)), copies=tuple(pairs), contradictions=apart)


def _cosines(x: Float[Tensor, "n *axes"], y: Float[Tensor, "n *axes"]) -> Float[Tensor, "n n"]:
    """Of each with each; 1 where both are no more than noise, and the less the quieter one of them is."""
    least = STILL * x[0].numel() ** 0.5
    lengths = [each.flatten(1).double().norm(dim=1, keepdim=True) for each in (x, y)]
    one, two = (each.flatten(1).double() / norm.clamp(min=least) for each, norm in zip((x, y), lengths, strict=True))
    return torch.where((lengths[0] < least) & (lengths[1] < least).T, 1.0, one @ two.T)


def join_same_files(groups: Sequence[Hashable], paths: Sequence[Path]) -> Joined:
    """Join the groups of records whose files hold the same bytes, or are one file. OSError for one that is not there.

    Only files of the same size are read; folders of pictures, members of archives and URLs are told apart by their
    place alone.
    """
    by_size: dict[Hashable, list[int]] = {}
    for row, path in enumerate(paths):
        size = path if is_stored(path) else path.resolve() if path.is_dir() else path.stat().st_size
        by_size.setdefault(size, []).append(row)
    first: dict[Hashable, int] = {}
    pairs = []
    for size, rows in by_size.items():
        for row in rows if len(rows) > 1 else ():
            one = first.setdefault((size, isinstance(size, Path) or _digest(paths[row])), row)
            if one != row:
                pairs.append((one, row))
    return Joined(groups=tuple(_joined(groups, pairs)), copies=tuple(pairs))


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _joined(groups: Sequence[Hashable], pairs: Sequence[tuple[int, int]]) -> list[Hashable]:
    joined = list(groups)
    for one, two in pairs:
        old, new = joined[two], joined[one]
        if old != new:
            joined = [new if each == old else each for each in joined]
    return joined
