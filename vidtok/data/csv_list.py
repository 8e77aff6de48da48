"""Tables with a header: the project's own list form, and the CSV and TSV of others.

    path,labels,start,end,video_id,fps,fold
    k/a.mp4,3,,,,,0
    k/b.mp4,jump;wave,2.5,12.5,b_2,,1
    k/c.mp4,92:11.9-21.2;147:0-12.6,,,,,0

`path` and `labels` (or `label`, or other words for them: `data/columns.py`) are needed, the others may be left out, and
columns of other names are no concern of the reader (`read_column` gives them). Comma, semicolon, tab or `|` stands
between cells, whichever the header has most of. A label is a number from 0 on or a class's name; several are joined by
`;`, and one that has a time of its own is followed by `:start-end`. Times are seconds of the video; `start` and `end`
say which part of it the record is, `fps` is the rate of a folder of pictures. An empty cell says nothing.
"""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from math import inf, nan
from pathlib import Path

import numpy as np

from vidtok.data.classes import ClassIndex, LabelReader
from vidtok.data.columns import table_columns
from vidtok.data.lines import comment_notes
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.file import open_text
from vidtok.video.source import is_url, url_of

DELIMITERS = ",;\t|"
Cell = tuple[tuple[int, ...], tuple[tuple[float, float], ...]]


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not empty, the header first. DataError where it is not CSV.

    Comments before the header are left out.
    """
    delimiter = csv_delimiter(path)
    with open_text(path, newline="") as file:
        reader = csv.reader(file, strict=True, delimiter=delimiter)
        begun = False
        try:
            for row in reader:
                if row and (begun or not row[0].startswith("#")):
                    begun = True
                    yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: not a line of CSV: {error}") from error


def csv_delimiter(path: Path) -> str:
    """What stands between the cells: the one of `,;tab|` that the header has most of."""
    return max(DELIMITERS, key=_first_line(path).count)


def first_cells(path: Path) -> list[str]:
    """The cells of the first line that is no comment, whether or not the list is CSV."""
    line = _first_line(path)
    return [cell.strip() for cell in next(csv.reader([line], delimiter=max(DELIMITERS, key=line.count)), [])]


def _first_line(path: Path) -> str:
    with open_text(path) as file:
        return next((line for line in file if line.strip() and not line.startswith("#")), "")


def is_comment_row(row: Sequence[str], root: Path) -> bool:
    """Whether a row is a comment: its first cell begins with `#`, and no cell of it is a file's name."""
    return row[0].startswith("#") and not any(cell and (root / cell).exists() for cell in row)


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
    header = [cell.strip() for cell in next(rows, (0, []))[1]]
    columns = table_columns(header, source=f"{path}:1")
    width, at_path, at_labels = len(header), header.index(columns.path), header.index(columns.label)
    own = (columns.video_id, columns.start, columns.end, columns.fps)
    at_id, at_start, at_end, at_fps = (width if name is None else header.index(name) for name in own)
    is_plain = min(at_id, at_start, at_end, at_fps) == width
    cells = _LabelCells(path, classes)
    builder = RecordsBuilder()
    comments = 0
    for line, row in rows:
        if row[0][:1] == "#" and is_comment_row(row, root):
            comments += 1
            continue
        if len(row) != width:
            raise DataError(
                f"{path}:{line}: {len(row)} cells, but the header has {width}; quote cells that hold the separator"
            )
        name = row[at_path]
        if not name:
            raise DataError(f"{path}:{line}: the path is empty")
        labels, intervals = cells.read(row[at_labels], line)
        if is_plain and not intervals:
            builder.add(name, labels)
            continue
        row.append("")  # the cell of the columns that are not there
        start = _seconds(row[at_start], "start", path, line)
        end = _seconds(row[at_end], "end", path, line)
        fps = _seconds(row[at_fps], "fps", path, line)
        if start is not None and end is not None and end < start:
            raise DataError(f"{path}:{line}: the part ends at {row[at_end]} s, before it begins at {row[at_start]} s")
        if fps == 0:
            raise DataError(f"{path}:{line}: fps is above 0")
        builder.add(
            name,
            labels,
            video_id=row[at_id] or None,
            start_seconds=start,
            end_seconds=end,
            intervals=intervals,
            fps=fps,
        )
    found = builder.columns(relabel=cells.reader.relabel())
    if not len(found.label_ends):
        raise DataError(f"{path}: the list is empty; it needs one line per video below the header")
    notes = comment_notes(comments)
    records = Records.from_columns(found, root=root, source=path, form="csv", notes=notes)
    records.check_encoding()
    return records, cells.reader.names()


def _seconds(text: str, column: str, path: Path, line: int) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 0 <= value < inf:
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
        self.reader = LabelReader(classes, source=path)
        self._known: dict[str, Cell] = {}

    def read(self, cell: str, line: int) -> Cell:
        known = self._known.get(cell)
        if known is None:
            known = self._known[cell] = self._read(cell.strip(), line)
        return known

    def _read(self, cell: str, line: int) -> Cell:
        if self.reader.is_name(cell):  # a name may hold any character
            return (self.reader.label(cell, line=line),), ()
        labels: list[int] = []
        intervals: list[tuple[float, float] | None] = []
        for entry in filter(None, (part.strip() for part in cell.split(";"))):
            match = re.fullmatch(r"(.+):([\d.]+)-([\d.]+)", entry)
            labels.append(self.reader.label(match[1].strip() if match else entry, line=line))
            intervals.append(self._interval(match[2], match[3], line) if match else None)
        if not any(intervals):
            return tuple(labels), ()
        return tuple(labels), tuple(interval or (nan, nan) for interval in intervals)

    def _interval(self, start: str, end: str, line: int) -> tuple[float, float]:
        times = _float(start), _float(end)
        if not times[0] <= times[1]:
            raise DataError(f"{self.path}:{line}: a label's time is start-end in seconds, not '{start}-{end}'")
        return times


def read_column(path: str | Path, name: str, *, root: str | Path | None = None) -> tuple[str, ...]:
    """The cells of one column of a CSV with a header, such as `fold`: row for row those of `read_list`.

    `root`: where relative paths begin, by default the list's folder; it tells comments from names that begin with `#`.
    """
    path = Path(path)
    home = path.parent if root is None else Path(root)
    if not path.is_file():
        raise DataError(f"{path}: no such list")
    rows = csv_rows(path)
    place = csv_header(path, rows, (name,))[name]
    cells = []
    for line, row in rows:
        if is_comment_row(row, home):
            continue
        if place >= len(row):
            raise DataError(f"{path}:{line}: {len(row)} cells, none of them in the column {name!r}")
        cells.append(row[place])
    return tuple(cells)


def write_csv(path: str | Path, records: Records, *, classes: Sequence[str] | None = None) -> None:
    """Write records in this form, which reads back to equal records.

    Labels are numbers; where `classes` are called by other numbers, which a reader takes for names, they are names.
    Paths below the list's own folder are written relative to it, others absolute.
    """
    path = Path(path)
    folder = path.parent.absolute()
    named = classes if classes and ClassIndex(classes, source=path).numbers_are_names else None
    used: set[str] = set()
    rows: list[dict[str, str]] = []
    for record in records:
        name = url_of(record.path) if is_url(record.path) else _name(record.path, folder)
        row = {
            "path": name,
            "labels": ";".join(_label_words(record.labels, record.intervals, named)),
            "start": _words(record.start_seconds),
            "end": _words(record.end_seconds),
            "video_id": "" if record.video_id == name else record.video_id,
            "fps": _words(record.fps),
        }
        used.update(key for key, value in row.items() if value)
        rows.append(row)
    head = ["path", "labels", *(key for key in ("start", "end", "video_id", "fps") if key in used)]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Names that are not UTF-8 are written as the bytes that they are, and read so.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, head, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _name(path: Path, folder: Path) -> str:
    file = Path(os.path.normpath(path.absolute()))
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def _label_words(
    labels: Sequence[int], intervals: Sequence[tuple[float, float]], classes: Sequence[str] | None
) -> Iterator[str]:
    for place, label in enumerate(labels):
        word = str(label) if classes is None else classes[label]
        start, end = intervals[place] if intervals else (0.0, inf)
        yield word if end == inf else f"{word}:{_words(start)}-{_words(end)}"


def _words(value: float | None) -> str:
    """The shortest digits that read back to the same number, without an exponent."""
    return "" if value is None else np.format_float_positional(value, trim="-")
