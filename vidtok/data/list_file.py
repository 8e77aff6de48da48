"""A list as a file: the lines as they are, and the video that each one names, for lists that are written anew."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtok.data.csv_list import csv_header, csv_rows
from vidtok.data.formats.paths import numbered_lines, read_paths
from vidtok.errors import DataError


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

    def without(self, names: Collection[str]) -> bytes:
        """The file without the rows of these videos, and otherwise byte for byte as it is."""
        kept = [row for row, name in zip(self.rows, self.names, strict=True) if name not in names]
        return b"".join([self.head, *kept, self.tail])

    def renamed(self, names: Mapping[str, str]) -> bytes:
        """The file with these new names instead of the old ones; rows of other videos are left out."""
        kept = [
            self._renamed(row.decode(), name, names[name]).encode()
            for row, name in zip(self.rows, self.names, strict=True)
            if name in names
        ]
        return b"".join([self.head, *kept, self.tail])

    def _renamed(self, row: str, old: str, new: str) -> str:
        if self.column is None:
            return row.replace(old, new, 1)  # nothing but a quotation mark stands before the path
        (cells,) = (cells for cells in csv.reader(io.StringIO(row, newline="")) if cells)
        cells[self.column] = new
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(cells)
        return out.getvalue()


def read_list_file(path: str | Path) -> ListFile:
    """Read a list of `path label…` lines, or a CSV whose header names a column `path`.

    Raises DataError, which names file and line, for other lists: tools/make_lists.py brings them into this form.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such list or folder")
    with open(path, "rb") as file:
        data = file.read()
    ends: list[int]
    first = data.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].decode(errors="replace")
    if "path" in [cell.strip() for cell in first.split(",")]:
        rows = csv_rows(path)
        column = csv_header(path, rows, ("path",))["path"]
        lines = data.splitlines(keepends=True)
        ends, names = [], []
        for end, cells in rows:
            if column >= len(cells):
                raise DataError(f"{path}:{end}: {len(cells)} cells, none of them in the column path")
            ends.append(end)
            names.append(cells[column])
        head_end = next(csv_rows(path))[0]
    else:
        column, head_end = None, 0
        lines = io.BytesIO(data).readlines()
        ends = [number for number, _ in numbered_lines(path)]
        try:
            names = [record.video_id for record in read_paths(path, root=path.parent)]
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
    )
