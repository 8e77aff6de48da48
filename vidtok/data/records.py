"""Records of a list as columns, which worker processes share."""

import hashlib
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from math import inf, isnan, nan
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from vidtok.errors import DataError
from vidtok.types import Record
from vidtok.video.source import check_url, is_url, located

NO_NAMES: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Strings end to end, and where each one ends."""

    bytes: UInt8[Tensor, "bytes"]
    ends: Int64[Tensor, "n"]

    def __getitem__(self, row: int) -> str:
        start = int(self.ends[row - 1]) if row else 0
        return os.fsdecode(self.bytes[start : int(self.ends[row])].numpy().tobytes())


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What a list says, column by column. NaN stands for nothing; a column that says nothing is None.

    Tensors, because torch hands them to new processes as shared memory, whichever way these are started.
    """

    names: Texts
    labels: Int64[Tensor, "labels"]
    label_ends: Int64[Tensor, "n"]
    intervals: Float64[Tensor, "labels 2"] | None
    video_ids: Texts | None
    starts: Float64[Tensor, "n"] | None
    ends: Float64[Tensor, "n"] | None
    fps: Float64[Tensor, "n"] | None


class Records(Sequence[Record]):
    """Records of one list, held as columns: worker processes share them instead of copying 650,000 objects.

    `records[i]` makes a Record; its `video_id` is the path as the list writes it, where the list has no other.
    `form` is the form that the list was read as, `notes` what its reader has to tell the user.
    """

    def __init__(self, names: Iterable[str], labels: Iterable[Sequence[int]], *, root: Path, source: Path):
        builder = RecordsBuilder()
        for name, own in zip(names, labels, strict=True):
            builder.add(name, own)
        self._columns = builder.columns()
        self.root = root
        self.source = source
        self.form = "paths"
        self.notes: tuple[str, ...] = ()

    @classmethod
    def from_columns(
        cls, columns: Columns, *, root: Path, source: Path, form: str, notes: Sequence[str] = ()
    ) -> "Records":
        records = cls([], [], root=root, source=source)
        records._columns = columns
        records.form = form
        records.notes = tuple(notes)
        return records

    def __len__(self) -> int:
        return len(self._columns.names.ends)

    def __iter__(self) -> Iterator[Record]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row):  # no annotation: a slice has no Record
        row = range(len(self))[row]
        columns = self._columns
        name = columns.names[row]
        own = slice(int(columns.label_ends[row - 1]) if row else 0, int(columns.label_ends[row]))
        return Record(
            path=located(self.root, name),
            labels=tuple(columns.labels[own].tolist()),
            video_id=(columns.video_ids[row] if columns.video_ids else "") or name,
            start_seconds=_number(columns.starts, row),
            end_seconds=_number(columns.ends, row),
            intervals=_intervals(columns.intervals[own].tolist()) if columns.intervals is not None else (),
            fps=_number(columns.fps, row),
        )

    def fingerprint(self) -> str:
        """What the list says, in short: its length, and a hash (SHA-256) of every column in the list's order.

        Where the videos lie is no part of it.
        """
        columns, hashed = self._columns, hashlib.sha256()
        texts = [columns.names, columns.video_ids]
        parts = [part for text in texts for part in ((text.bytes, text.ends) if text is not None else (None, None))]
        parts += [columns.labels, columns.label_ends, columns.intervals, columns.starts, columns.ends, columns.fps]
        for part in parts:
            hashed.update(
                b"-" if part is None else f"{tuple(part.shape)}".encode() + part.contiguous().numpy().tobytes()
            )
        return f"{len(self)} records, {hashed.hexdigest()[:16]}"

    def subset(self, rows: Sequence[int], *, names: Mapping[int, str] = NO_NAMES) -> "Records":
        """The records of these rows, in this order, such as those of one fold; `names` are new paths of some rows."""
        builder = RecordsBuilder()
        for row in rows:
            name = self._columns.names[range(len(self))[row]]
            record = self[row]
            builder.add(
                names.get(row, name),
                record.labels,
                video_id=record.video_id if record.video_id != name else None,
                start_seconds=record.start_seconds,
                end_seconds=record.end_seconds,
                intervals=record.intervals,
                fps=record.fps,
            )
        return Records.from_columns(
            builder.columns(), root=self.root, source=self.source, form=self.form, notes=self.notes
        )

    def relabelled(self, labels: Mapping[int, int]) -> "Records":
        """The same records with `labels[i]` in place of label `i`."""
        columns = self._columns
        seen, places = columns.labels.unique(return_inverse=True)
        new = torch.tensor([labels[label] for label in seen.tolist()], dtype=torch.int64)
        changed = replace(columns, labels=new[places] if len(seen) else columns.labels)
        return Records.from_columns(changed, root=self.root, source=self.source, form=self.form, notes=self.notes)

    def noted(self, note: str) -> "Records":
        """The same records with one more note."""
        notes = (*self.notes, note)
        return Records.from_columns(self._columns, root=self.root, source=self.source, form=self.form, notes=notes)

    def check_encoding(self) -> None:
        """Raise DataError for a list that is not in UTF-8, unless its bytes are those of a file's name."""
        content = self._columns.names.bytes.numpy().tobytes()
        try:
            content.decode()
        except UnicodeDecodeError as error:
            record = self[int(np.searchsorted(self._columns.names.ends.numpy(), error.start, side="right"))]
            if not record.path.exists():
                raise DataError(
                    f"{self.source}: not a text file in UTF-8, and no file is called {record.video_id!a}; save the "
                    "list as UTF-8, or write the names as they are on disk"
                ) from error

    def check_names(self) -> None:
        """Raise DataError for a path that leads out of the root by `..`, and for URLs that cannot be read."""
        content = self._columns.names.bytes.numpy().tobytes()
        if b".." not in content and b"://" not in content:
            return
        for name in self.names():
            if "://" in name and is_url(name):
                check_url(name, source=str(self.source))
            if ".." in name and ".." in re.split(r"[/\\]", name):
                raise DataError(
                    f"{self.source}: {name!r:.200} leads out of {self.root} by `..`, which lists may not: set `root` "
                    "to the folder above all videos, or write whole paths"
                )

    def row_with(self, label: int) -> int:
        """The first row that has this label."""
        at = int((self._columns.labels == label).nonzero()[0])
        return int(np.searchsorted(self._columns.label_ends.numpy(), at, side="right"))

    def parts(self) -> list[tuple[float | None, float | None]]:
        """Start and end of every row."""
        columns = self._columns
        return (
            [(_number(columns.starts, row), _number(columns.ends, row)) for row in range(len(self))]
            if (columns.starts is not None or columns.ends is not None)
            else [(None, None)] * len(self)
        )

    def all_labels(self) -> np.ndarray:
        """The labels of all rows, one after the other."""
        return self._columns.labels.numpy()

    def names(self) -> list[str]:
        """The paths as the list writes them, all at once."""
        content, ends = self._columns.names.bytes.numpy().tobytes(), self._columns.names.ends.tolist()
        return [os.fsdecode(content[start:end]) for start, end in pairwise((0, *ends))]

    def label_counts(self) -> np.ndarray:
        """How many labels each row has."""
        return np.diff(self._columns.label_ends.numpy(), prepend=0)

    def labels_seen(self) -> frozenset[int]:
        """Every label that some row has."""
        return frozenset(self._columns.labels.unique().tolist())

    def label_column(self, place: int) -> np.ndarray:
        """The label at this place of every row; each row has one there."""
        ends = self._columns.label_ends.numpy()
        starts = np.concatenate([[0], ends[:-1]])
        return self._columns.labels.numpy()[starts + place]

    def class_counts(self, classes: int) -> np.ndarray:
        """How many rows have each label; one that has it several times counts once."""
        rows = np.repeat(np.arange(len(self)), self.label_counts())
        pairs = np.unique(np.stack([rows, self._columns.labels.numpy()], 1), axis=0)
        return np.bincount(pairs[:, 1], minlength=classes)

    def label_table(self) -> np.ndarray | None:
        """Labels by row and place, where every row has the same number of them, else None."""
        counts = self.label_counts()
        if not len(counts) or counts.min() != counts.max():
            return None
        return self._columns.labels.numpy().reshape(len(counts), -1)

    def label_range(self) -> tuple[int, int] | None:
        """The row with the highest label, and that label; None where no row has a label."""
        if not len(self._columns.labels):
            return None
        at = int(self._columns.labels.argmax())
        return int(np.searchsorted(self._columns.label_ends.numpy(), at, side="right")), int(self._columns.labels[at])

    def timed_row(self) -> int | None:
        """The first row that has a label with a time of its own; None where all labels hold all the time."""
        if self._columns.intervals is None:
            return None
        timed = (~self._columns.intervals[:, 0].isnan()).numpy()
        if not timed.any():
            return None
        return int(np.searchsorted(self._columns.label_ends.numpy(), timed.argmax(), side="right"))


def _number(column: Float64[Tensor, "n"] | None, row: int) -> float | None:
    value = nan if column is None else float(column[row])
    return None if isnan(value) else value


def _intervals(pairs: list[list[float]]) -> tuple[tuple[float, float], ...]:
    """A label without a time of its own happens all the time; where all are so, nothing needs to be said."""
    if all(isnan(start) for start, _ in pairs):
        return ()
    return tuple((0.0, inf) if isnan(start) else (start, end) for start, end in pairs)


class RecordsBuilder:
    """Takes records one by one into growing columns."""

    def __init__(self):
        self._names, self._name_ends = bytearray(), array("q")
        self._ids, self._id_ends = bytearray(), array("q")
        self._labels, self._label_ends = array("q"), array("q")
        self._intervals = array("d")
        self._starts, self._ends, self._fps = array("d"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._name_ends)

    def add(
        self,
        name: str,
        labels: Sequence[int],
        *,
        video_id: str | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        intervals: Sequence[tuple[float, float]] = (),
        fps: float | None = None,
    ) -> None:
        row = len(self._name_ends)
        self._names += name.encode("utf-8", "surrogateescape")
        self._name_ends.append(len(self._names))
        before = len(self._labels)
        if len(labels) == 1:
            self._labels.append(labels[0])
        else:
            self._labels.extend(labels)
        self._label_ends.append(len(self._labels))
        if video_id is not None:
            if len(self._id_ends) < row:
                self._id_ends.extend(repeat(len(self._ids), row - len(self._id_ends)))
            self._ids += video_id.encode("utf-8", "surrogateescape")
            self._id_ends.append(len(self._ids))
        # Written out, since a long list passes here once for each row.
        if start_seconds is not None:
            _put(self._starts, row, start_seconds)
        if end_seconds is not None:
            _put(self._ends, row, end_seconds)
        if fps is not None:
            _put(self._fps, row, fps)
        if intervals:
            self._intervals.extend(repeat(nan, 2 * before - len(self._intervals)))
            for start, end in intervals:
                self._intervals.extend((start, end))

    def columns(self, *, relabel: Sequence[int] | None = None) -> Columns:
        """The columns, final; label `i` becomes `relabel[i]`."""
        n, labels = len(self._name_ends), _tensor(self._labels, torch.int64)
        if relabel is not None:
            labels = torch.tensor(relabel, dtype=torch.int64)[labels]
        intervals = _padded(self._intervals, 2 * len(labels))
        ids = None
        if self._id_ends:
            self._id_ends.extend(repeat(len(self._ids), n - len(self._id_ends)))
            ids = Texts(bytes=_tensor(self._ids, torch.uint8), ends=_tensor(self._id_ends, torch.int64))
        return Columns(
            names=Texts(bytes=_tensor(self._names, torch.uint8), ends=_tensor(self._name_ends, torch.int64)),
            labels=labels,
            label_ends=_tensor(self._label_ends, torch.int64),
            intervals=None if intervals is None else intervals.reshape(-1, 2),
            video_ids=ids,
            starts=_padded(self._starts, n),
            ends=_padded(self._ends, n),
            fps=_padded(self._fps, n),
        )


def _put(column: array, row: int, value: float) -> None:
    if len(column) < row:
        column.extend(repeat(nan, row - len(column)))
    column.append(value)


def _tensor(values: array | bytearray, dtype: torch.dtype) -> Tensor:
    # A copy: the arrays have grown by leaps and hold more memory than they need.
    return torch.frombuffer(values, dtype=dtype).clone() if len(values) else torch.empty(0, dtype=dtype)


def _padded(values: array, length: int) -> Float64[Tensor, "n"] | None:
    if not values:
        return None
    values.extend(repeat(nan, length - len(values)))
    return _tensor(values, torch.float64)
