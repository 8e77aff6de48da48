"""Videos that belong together: by a column of the list, by their paths, or because one is a copy of the other."""

import hashlib
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vidtok.data.csv_list import read_column
from vidtok.data.records import Records
from vidtok.errors import DataError

COPY = (0.75, 0.9, 0.97)
"""Cosines of two clips' layouts from which one is taken for a copy of the other; the next one where that leaves nothing
to divide. On four actions of nine people mirrored copies had 0.76 to 0.91, other clips at most 0.67."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The group of each row, with those of copies joined, and the pairs of rows that were taken for copies."""

    groups: tuple[Hashable, ...]
    copies: tuple[tuple[int, int], ...]


def read_groups(records: Records, rows: Sequence[int], group: str | None) -> list[Hashable]:
    """The group of each row: by a column of the list, by what a pattern's brackets take from its path, or its own."""
    if group is None:
        return list(rows)
    if "(" in group:
        return list(groups_by_pattern([records[row].path for row in rows], group))
    column = read_column(records.source, group)
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
    groups: Sequence[Hashable], labels: Sequence[tuple[int, ...]], layouts: Float[Tensor, "n t h w d"]
) -> Joined:
    """Join the groups of clips that look the same place by place: copies, other encodings, mirrored pictures.

    `layouts` are coarse maps of each clip. What a clip has everywhere, and what all clips have at a place, does not
    count. Only clips with the same labels are compared. Where so many are alike that a class would be one group, only
    closer ones are joined.
    """
    own = layouts - layouts.mean(dim=(1, 2, 3), keepdim=True)
    mirrored = own.flip(3)
    shared = (own.mean(dim=0) + mirrored.mean(dim=0)) / 2
    unit, other = (F.normalize((each - shared).flatten(1), dim=1) for each in (own, mirrored))
    cosine = torch.maximum(unit @ unit.T, unit @ other.T)
    same = torch.tensor([[one == two for two in labels] for one in labels])
    pairs: list[tuple[int, int]] = []
    joined = list(groups)
    for least in COPY:
        alike = (same & (cosine >= least)).triu(diagonal=1).nonzero()
        pairs = [(one, two) for one, two in alike.tolist()]
        joined = _joined(groups, pairs)
        if all(len({joined[row] for row in rows}) > 1 for rows in _rows_by_label(labels).values()):
            return Joined(groups=tuple(joined), copies=tuple(pairs))
    return Joined(groups=tuple(groups), copies=())


def join_same_files(groups: Sequence[Hashable], paths: Sequence[Path]) -> Joined:
    """Join the groups of records whose files hold the same bytes, or are one file. OSError for one that is not there.

    Only files of the same size are read; folders of pictures are told apart by their place alone.
    """
    by_size: dict[Hashable, list[int]] = {}
    for row, path in enumerate(paths):
        by_size.setdefault(path.resolve() if path.is_dir() else path.stat().st_size, []).append(row)
    first: dict[Hashable, int] = {}
    pairs = []
    for size, rows in by_size.items():
        for row in rows if len(rows) > 1 else ():
            one = first.setdefault((size, paths[row].is_dir() or _digest(paths[row])), row)
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


def _rows_by_label(labels: Sequence[tuple[int, ...]]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, own in enumerate(labels):
        for label in own:
            rows.setdefault(label, []).append(row)
    return rows
