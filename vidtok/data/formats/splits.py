"""The split files of UCF101 and HMDB51."""

import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.choices import Part
from vidtok.data.classes import ClassIndex
from vidtok.data.lines import numbered_lines
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.classes import read_classes

HMDB_FILE = re.compile(r"(.+)_test_split(\d)\.txt")
HMDB_PARTS = {"train": "1", "val": "2"}


def read_ucf101(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> tuple[Records, tuple[str, ...]]:
    """`trainlist01.txt` (`Archery/v_Archery_g08_c01.avi 3`) and `testlist01.txt` (no number).

    The class is the folder. Numbers count from 1, in the order of `classInd.txt`, which lies beside the list where no
    classes are given; one that disagrees raises DataError.
    """
    if classes is None:
        order = path.parent / "classInd.txt"
        if not order.is_file():
            raise DataError(f"{order}: not there; it has the order of the classes. Or name a class file")
        classes = read_classes(order)
    index, builder = ClassIndex(classes, source=path), RecordsBuilder()
    for line, text in numbered_lines(path):
        match = re.fullmatch(r"(([^/]+)/[^/]+\.\w+)(?:\s+(\d+))?", text)
        if match is None:
            raise DataError(f"{path}:{line}: a line is `Class/v_Class_g01_c01.avi`, and a number in training: {text!r}")
        label = index.label(match[2], line=line)
        if match[3] is not None and int(match[3]) != label + 1:
            raise DataError(
                f"{path}:{line}: number {match[3]} of {match[2]!r}, which is class {label + 1} counted from 1; if the "
                "numbers of this list count from 0, its form is `paths`"
            )
        builder.add(match[1], (label,))
    return Records.from_columns(builder.columns(), root=root, source=path, form="ucf101"), tuple(classes)


def read_hmdb51(
    path: Path, *, root: Path, classes: Sequence[str] | None = None, part: Part = "train"
) -> tuple[Records, tuple[str, ...]]:
    """`CLASS_test_split1.txt` and its sisters: `name.avi 1` is for training, 2 for testing, 0 for neither.

    `path` is any one of the files of a split; the videos are root/CLASS/name.avi. Without `classes` they are the sorted
    names of the files.
    """
    own = HMDB_FILE.fullmatch(path.name)
    if own is None:
        raise DataError(f"{path}: a split file of HMDB51 is called CLASS_test_split1.txt, or 2 or 3")
    files = {
        file.name[: -len(f"_test_split{own[2]}.txt")]: file for file in path.parent.glob(f"*_test_split{own[2]}.txt")
    }
    index, builder = ClassIndex(classes if classes is not None else sorted(files), source=path), RecordsBuilder()
    for name, file in sorted(files.items()):
        label = (index.label(name),)
        for line, text in numbered_lines(file):
            video, _, number = text.rpartition(" ")
            if number not in ("0", "1", "2") or not video:
                raise DataError(f"{file}:{line}: a line is `name.avi 0`, 1 (training) or 2 (testing), not {text!r}")
            if number == HMDB_PARTS[part]:
                builder.add(f"{name}/{video.strip()}", label)
    columns = builder.columns()
    if not len(columns.label_ends):
        raise DataError(f"{path}: split {own[2]} has no video in its {part} part")
    records = Records.from_columns(
        columns, root=root, source=path, form="hmdb51", notes=[f"split {own[2]}, {part} part, {len(files)} classes"]
    )
    return records, index.given or ()
