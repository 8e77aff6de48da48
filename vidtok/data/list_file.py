"""A list as a file: the lines as they are, and the video that each one names, for lists that are written anew."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.data.columns import is_header, path_column
from vidtok.data.csv_list import csv_delimiter, csv_rows, first_cells, is_comment_row
from vidtok.data.formats.objects import is_json_lines
from vidtok.data.formats.paths import read_paths
from vidtok.data.lines import first_lines, is_comment, numbered_lines
from vidtok.errors import DataError

ESCAPED = "surrogateescape"  # names that are not UTF-8 stay as they are


@dataclass(frozen=True, kw_only=True)
class ListFile:
    """`names[i]` is the path in `rows[i]`, as the list writes it; a row is a line with blank ones before it."""

    path: Path
    head: bytes
    """The header, or nothing."""
    rows: Sequence[bytes]
    tail: bytes
    """What stands behind the last row."""
    names: Sequence[str]
    column: int | None
    """The place of the path in a CSV; None for `path label` lines."""
    delimiter: str = ","
    """What stands between the cells of a CSV."""

    def without(self, names: Collection[str]) -> bytes:
        """The file without the rows of these videos, and otherwise byte for byte as it is."""
        kept = [row for row, name in zip(self.rows, self.names, strict=True) if name not in names]
        return b"".join([self.head, *kept, self.tail])

    def renamed(self, names: Mapping[str, str]) -> bytes:
        """The file with these new names instead of the old ones; rows of other videos are left out."""
        kept = [
            self._renamed(row.decode(errors=ESCAPED), name, names[name]).encode(errors=ESCAPED)
            for row, name in zip(self.rows, self.names, strict=True)
            if name in names
        ]
        return b"".join([self.head, *kept, self.tail])

    def _renamed(self, row: str, old: str, new: str) -> str:
        if self.column is None:
            start = row.rstrip().rfind("\n") + 1  # of the line itself, behind blank ones and comments
            return row[:start] + row[start:].replace(old, new, 1)  # a quotation mark alone stands before the path
        rows = [cells for cells in csv.reader(io.StringIO(row, newline=""), delimiter=self.delimiter) if cells]
        rows[-1][self.column] = new  # comments before it stay as they are
        out = io.StringIO()
        csv.writer(out, lineterminator="\n", delimiter=self.delimiter).writerows(rows)
        return out.getvalue()


def read_list_file(path: str | Path) -> ListFile:
    """Read a list of `path label…` lines, or a table whose header names a column of paths (`data/columns.py`).

    Raises DataError, which names file and line, for other lists: tools/make_lists.py brings them into this form.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such list or folder")
    data = path.read_bytes()
    lines, ends, names = io.BytesIO(data).readlines(), [], []
    column, head_end, delimiter = None, 0, csv_delimiter(path)
    first = first_lines(path)
    header = first_cells(path)
    try:
        if path.suffix == ".json" or is_json_lines(path, first):
            raise DataError(f"{path}: a list in JSON.")
        if is_header(header):
            lines = data.splitlines(keepends=True)
            column = path_column(header, source=f"{path}:1")
            rows = csv_rows(path)
            head_end = next(rows)[0]
            for end, cells in rows:
                if is_comment_row(cells, path.parent):
                    continue
                if column >= len(cells):
                    raise DataError(f"{path}:{end}: {len(cells)} cells, none of them in the column {header[column]}")
                ends.append(end)
                names.append(cells[column])
        else:
            names = read_paths(path, root=path.parent)[0].names()
            ends = [number for number, line in numbered_lines(path) if not is_comment(line, path.parent)]
    except DataError as error:
        raise DataError(f"{error}\nLists of other forms: tools/make_lists.py brings them into this one.") from error
    starts = [head_end, *ends[:-1]]
    return ListFile(
        path=path,
        head=b"".join(lines[:head_end]),
        rows=[b"".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)],
        tail=b"".join(lines[ends[-1] if ends else head_end :]),
        names=names,
        column=column,
        delimiter=delimiter,
    )
