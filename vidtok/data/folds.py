"""A table of videos that gives each of them a fold: what cross-validation goes over."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidtok.data.columns import table_columns
from vidtok.data.csv_list import csv_header, csv_rows, is_comment_row, read_csv
from vidtok.errors import DataError
from vidtok.text.classes import read_classes

Row = Mapping[str, str]
MIRRORED = re.compile(r"(.+)_(?:m|mirror|mirrored|flip|flipped)")
"""The name of a mirrored copy, its ending aside, and in it the original's."""


@dataclass(frozen=True, kw_only=True)
class FoldTable:
    """The rows of a list in vidtok's CSV form that has a column `fold`, and the names of its classes."""

    source: Path
    rows: tuple[Row, ...]
    classes: tuple[str, ...]

    @property
    def folds(self) -> list[str]:
        """The names of the folds, numbers in their own order."""
        return sorted({row["fold"] for row in self.rows}, key=by_number)

    def lists(self, fold: str) -> dict[str, str]:
        """Contents of train.csv and val.csv when this fold is the one left out; all columns stay."""
        return {
            "train.csv": to_csv([row for row in self.rows if row["fold"] != fold]),
            "val.csv": to_csv([row for row in self.rows if row["fold"] == fold]),
        }

    def split_subjects(self) -> list[str]:
        """The people (column `subject`, where there is one) who are in more than one fold."""
        return [name for name, folds in folds_by(self.rows, "subject").items() if len(folds) > 1]


def read_folds(path: str | Path) -> FoldTable:
    """Read a list in CSV form (`data/csv_list.py`) with a column `fold`, and check that the folds share nothing.

    The classes are those of classes.txt beside the list, in its order, else the sorted labels. Two folds may not share
    a video; nor, where there is a column `group`, a group; nor, where there is a column `mirrored` (0 or 1), a video
    and its mirrored copy, which is found by name: `X_m.mp4` is the copy of `X.mp4`. Raises DataError, which names the
    file and the line or the video.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such list; cross-validation needs a CSV with the columns path, label and fold")
    rows = _read_rows(path)
    _check_apart(rows, path)
    file = path.with_name("classes.txt")
    known = read_classes(file) if file.is_file() else None
    classes = read_csv(path, root=path.parent, classes=known)[1]
    if classes is None:
        raise DataError(f"{path}: its labels are numbers; write the names of the classes, one per line, into {file}")
    return FoldTable(source=path, rows=rows, classes=classes)


def _read_rows(path: Path) -> tuple[Row, ...]:
    table = csv_rows(path)
    names = list(csv_header(path, table, ("fold",)))
    columns = table_columns(names, source=f"{path}:1")
    own = {columns.path: "path", columns.label: "labels" if columns.label == "labels" else "label"}
    names = [own.get(name, name) for name in names]
    rows = []
    for line, cells in table:
        if is_comment_row(cells, path.parent):
            continue
        if len(cells) != len(names):
            raise DataError(f"{path}:{line}: {len(cells)} cells, but the header has {len(names)}")
        row = dict(zip(names, cells, strict=True))
        if not re.fullmatch(r"[\w.-]+", row["fold"]):
            raise DataError(
                f"{path}:{line}: a fold is a number or a word of letters, digits and `_.-`, got {row['fold']!r}"
            )
        rows.append(row)
    if len({row["fold"] for row in rows}) < 2:
        raise DataError(f"{path}: cross-validation needs two folds or more in the column `fold`")
    return tuple(rows)


def _check_apart(rows: Sequence[Row], path: Path) -> None:
    """Raise DataError for a video, a group or a mirrored pair that is in more than one fold."""
    for column, what in (("path", "the video"), ("group", "the group")):
        for name, folds in folds_by(rows, column).items():
            if len(folds) > 1 and name:
                raise DataError(f"{path}: {what} {name!r} is in the folds {' and '.join(folds)}; it belongs into one")
    if "mirrored" not in rows[0]:
        return
    fold_of = {_stem(row): row["fold"] for row in rows}
    for row in rows:
        if row["mirrored"] not in ("0", "1"):
            raise DataError(f"{path}: {row['path']!r}: the column `mirrored` is 0 or 1, got {row['mirrored']!r}")
        if row["mirrored"] == "0":
            continue
        name = MIRRORED.fullmatch(_stem(row))
        if name is None or name[1] not in fold_of:
            raise DataError(
                f"{path}: {row['path']!r} is mirrored, but of which video? NAME_m.mp4 is taken for the copy of "
                f"NAME.mp4; for other names write a column `group` in place of `mirrored`"
            )
        if fold_of[name[1]] != row["fold"]:
            raise DataError(
                f"{path}: {row['path']!r} is in fold {row['fold']}, its original in fold {fold_of[name[1]]}; mirrored "
                f"copies stay with their originals, or what is tested has been seen in training"
            )


def _stem(row: Row) -> str:
    return PurePosixPath(row["path"]).with_suffix("").as_posix()


def folds_by(rows: Sequence[Row], column: str) -> dict[str, list[str]]:
    """For each value of a column, the folds in which it is; nothing where there is no such column."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if column in row:
            found[row[column]].add(row["fold"])
    return {name: sorted(folds, key=by_number) for name, folds in found.items()}


def to_csv(rows: Sequence[Row]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def by_number(name: str) -> tuple[int, int, str]:
    """A key for sorting: whole numbers first, by value, then words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
