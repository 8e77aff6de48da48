"""The project's own list form: a CSV file with a header.

    path,labels,start,end,video_id,fps,fold
    k/a.mp4,3,,,,,0
    k/b.mp4,jump;wave,2.5,12.5,b_2,,1
    k/c.mp4,92:11.9-21.2;147:0-12.6,,,,,0

`path` and `labels` (or `label`) are needed, the others may be left out, and columns of other names are no concern of
the reader (`read_column` gives them). A label is a number from 0 on or a class's name; several are joined by `;`, and
one that has a time of its own is followed by `:start-end`. Times are seconds of the video; `start` and `end` say which
part of it the record is, `fps` is the rate of a folder of pictures. An empty cell says nothing.
"""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from math import inf, isfinite, nan
from pathlib import Path

import numpy as np

from vidtok.data.classes import ClassIndex
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError

Cell = tuple[tuple[int, ...], tuple[tuple[float, float], ...]]


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not empty, the header first. DataError where it is not CSV."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: not a line of CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not a text file in UTF-8 ({error})") from error


def csv_header(path: Path, rows: Iterator[tuple[int, list[str]]], needed: Sequence[str]) -> dict[str, int]:
    """Place of each column by its name; DataError where one of `needed` is not there or a name stands twice."""
    _, header = next(rows, (0, []))
    names = [name.strip() for name in header]
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(f"{path}:1: no column {missing[0]!r}; the header is {','.join(names)!r}")
    if len(set(names)) < len(names):
        raise DataError(f"{path}:1: a column name stands twice in the header {','.join(names)!r}")
    return {name: place for place, name in enumerate(names)}


def read_csv(
    path: str | Path, *, root: Path, classes: Sequence[str] | None = None
) -> tuple[Records, tuple[str, ...] | None]:
    """Records and classes of a CSV of the project's own form.

    Labels that are names need `classes`; without them, the names sorted are the classes. Raises DataError, which names
    file and line.
    """
    path = Path(path)
    rows = csv_rows(path)
    places = csv_header(path, rows, ("path",))
    if ("label" in places) == ("labels" in places):
        raise DataError(f"{path}:1: one column is called labels, or label; the header is {','.join(places)!r}")
    width, at_path, at_labels = len(places), places["path"], places.get("labels", places.get("label", 0))
    at_id, at_start, at_end, at_fps = (places.get(name, width) for name in ("video_id", "start", "end", "fps"))
    is_plain = min(at_id, at_start, at_end, at_fps) == width
    cells = _LabelCells(path, classes)
    builder = RecordsBuilder()
    for line, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}:{line}: {len(row)} cells, but the header has {width}; quote cells that hold commas"
            )
        name = row[at_path]
        if not name:
            raise DataError(f"{path}:{line}: the path is empty")
        labels, intervals = cells.read(row[at_labels], line)
        if is_plain and not intervals:
            builder.add(name, labels)
            continue
        row.append("")  # the cell of the columns that are not there
        start, end, fps = row[at_start], row[at_end], row[at_fps]
        builder.add(
            name,
            labels,
            video_id=row[at_id] or None,
            start_seconds=_seconds(start, "start", path, line) if start else None,
            end_seconds=_seconds(end, "end", path, line) if end else None,
            intervals=intervals,
            fps=_seconds(fps, "fps", path, line) if fps else None,
        )
        if start and end and float(end) < float(start):
            raise DataError(f"{path}:{line}: the part ends at {end} s, before it begins at {start} s")
        if fps and float(fps) == 0:
            raise DataError(f"{path}:{line}: fps is above 0")
    index = cells.index
    columns = builder.columns(relabel=None if cells.numbers else index.relabel())
    if not len(columns.label_ends):
        raise DataError(f"{path}: the list is empty; it needs one line per video below the header")
    return Records.from_columns(columns, root=root, source=path, form="csv"), index.names()


def _seconds(text: str, column: str, path: Path, line: int) -> float:
    value = _float(text)
    if not isfinite(value) or value < 0:
        raise DataError(f"{path}:{line}: {column} is a number from 0 on, or empty, not {text!r}")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


class _LabelCells:
    """Reads cells of labels; the same text, which most cells share with others, is read once."""

    def __init__(self, path: Path, classes: Sequence[str] | None):
        self.path = path
        self.index = ClassIndex(classes, source=path)
        self.numbers = False
        self._known: dict[str, Cell] = {}

    def read(self, cell: str, line: int) -> Cell:
        known = self._known.get(cell)
        if known is None:
            known = self._known[cell] = self._read(cell.strip(), line)
        return known

    def _read(self, cell: str, line: int) -> Cell:
        if (
            self.index.given is not None and cell in self.index and not cell.isdecimal()
        ):  # a name may hold any character
            return (self.index.label(cell),), ()
        labels: list[int] = []
        intervals: list[tuple[float, float] | None] = []
        for entry in filter(None, (part.strip() for part in cell.split(";"))):
            match = re.fullmatch(r"(.+):([\d.]+)-([\d.]+)", entry)
            labels.append(self._label(match[1].strip() if match else entry, line))
            intervals.append(self._interval(match[2], match[3], line) if match else None)
        if not any(intervals):
            return tuple(labels), ()
        return tuple(labels), tuple(interval or (nan, nan) for interval in intervals)

    def _label(self, text: str, line: int) -> int:
        if text.isdecimal():
            self.numbers = True
            label = int(text)
        elif re.fullmatch(r"[-+]?\d*\.?\d*", text):
            raise DataError(f"{self.path}:{line}: a label is a whole number from 0 on or a class's name, not {text!r}")
        else:
            label = self.index.label(text, line=line)
        if self.numbers and self.index.given is None and self.index.names():
            raise DataError(
                f"{self.path}:{line}: numbers and names as labels in one list; names then need a class file"
            )
        return label

    def _interval(self, start: str, end: str, line: int) -> tuple[float, float]:
        times = _float(start), _float(end)
        if not times[0] <= times[1]:
            raise DataError(f"{self.path}:{line}: a label's time is start-end in seconds, not '{start}-{end}'")
        return times


def read_column(path: str | Path, name: str) -> tuple[str, ...]:
    """The cells of one column of a CSV with a header, such as `fold`: row for row those of `read_list`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such list")
    rows = csv_rows(path)
    place = csv_header(path, rows, (name,))[name]
    cells = []
    for line, row in rows:
        if place >= len(row):
            raise DataError(f"{path}:{line}: {len(row)} cells, none of them in the column {name!r}")
        cells.append(row[place])
    return tuple(cells)


def write_csv(path: str | Path, records: Records) -> None:
    """Write records in this form, which reads back to equal records; labels are numbers.

    Paths below the list's own folder are written relative to it, others absolute.
    """
    path = Path(path)
    folder = path.parent.absolute()
    used: set[str] = set()
    rows: list[dict[str, str]] = []
    for record in records:
        file = Path(os.path.normpath(record.path.absolute()))
        name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
        row = {
            "path": name,
            "labels": ";".join(_label_words(record.labels, record.intervals)),
            "start": _words(record.start_seconds),
            "end": _words(record.end_seconds),
            "video_id": "" if record.video_id == name else record.video_id,
            "fps": _words(record.fps),
        }
        used.update(key for key, value in row.items() if value)
        rows.append(row)
    head = ["path", "labels", *(key for key in ("start", "end", "video_id", "fps") if key in used)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, head, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        try:
            writer.writerows(rows)
        except UnicodeEncodeError as error:
            raise DataError(f"{path}: a file name is not UTF-8, rename it: {error.object!r}") from error


def _label_words(labels: Sequence[int], intervals: Sequence[tuple[float, float]]) -> Iterator[str]:
    for place, label in enumerate(labels):
        start, end = intervals[place] if intervals else (0.0, inf)
        yield f"{label}" if end == inf else f"{label}:{_words(start)}-{_words(end)}"


def _words(value: float | None) -> str:
    """The shortest digits that read back to the same number, without an exponent."""
    return "" if value is None else np.format_float_positional(value, trim="-")
