"""Lists of videos: any form of the field, read into columns, and checked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidtok.data.classes import ClassIndex
from vidtok.data.csv_list import read_column
from vidtok.data.formats import detect, find_form, settle
from vidtok.data.formats.disk import is_on_disk, near_names
from vidtok.data.formats.folder import read_folder
from vidtok.data.formats.shards import is_shards
from vidtok.data.formats.splits import Part
from vidtok.data.records import Records
from vidtok.errors import ConfigError, DataError
from vidtok.text.classes import read_classes
from vidtok.text.file import is_binary
from vidtok.video.endings import is_media_name
from vidtok.video.tar import PACKED_SUFFIXES

__all__ = [
    "Records",
    "check_files",
    "check_labels",
    "describe",
    "missing_rows",
    "open_list",
    "read_classes",
    "read_column",
    "read_folder",
    "read_list",
]


def read_list(
    path: str | Path, *, root: str | Path | None = None, classes: Sequence[str] | None = None, format: str = "auto"
) -> Records:
    """Records of a list; `open_list` gives the classes as well, where the list has names for them."""
    return open_list(path, root=root, classes=classes, format=format)[0]


def open_list(
    path: str | Path,
    *,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    format: str = "auto",
    part: Part = "train",
    options: Mapping[str, Any] | None = None,
) -> tuple[Records, tuple[str, ...] | None]:
    """Records and class names of a list file or a folder, in any form of `vidtok.data.formats`.

    `format` is the name of a form; "auto" finds it, and `records.form` says which it was. Relative paths belong to
    `root`, by default the list's folder; a folder is its own root. `classes` give the order of the labels where the
    list writes names; without them it is the data set's own order, or the names sorted, and None where the list writes
    numbers. `part` is for forms that write training and validation in one file (HMDB51), `options` are further
    arguments of the form's function. Raises DataError, which names file and line; ConfigError for an unknown form or
    option.
    """
    path = Path(path)
    if path.is_file() and is_media_name(path) and is_binary(path):
        raise DataError(
            f"{path}: a video or picture, not a list of them. To label one video, predict it; to test or train, write "
            f"a list with a line `path label` for each"
        )
    if not path.exists() and not is_shards(path):
        raise DataError(
            f"{path}: no such list.\n"
            f"Write one line per video, `path/to/video.mp4 label`, with labels that count from 0 in the order of the "
            f"class file (`classes`); relative paths belong to `root` ({root or path.parent}).\n"
            "Or name a folder that has one sub-folder of videos per class, such as my_videos/train."
        )
    if path.is_file() and path.suffix.lower() in PACKED_SUFFIXES:
        raise DataError(f"{path}: an archive, which is not opened: unpack it, and name the list in it")
    name = detect(path) if format == "auto" else format
    form = find_form(name)
    if path.is_dir() != (name == "folder") and not (path.is_dir() and form.of_folders):
        raise ConfigError(f"{path}: {'a folder' if path.is_dir() else 'a file'} cannot be of the form {name}")
    unknown = sorted(set(options or {}) - set(form.options()))
    if unknown:
        has = ", ".join(form.options()) or "none"
        raise ConfigError(f"{path}: the form {name} has no option {unknown[0]!r}; it has: {has}")
    own = path if path.is_dir() else path.parent
    arguments = {"root": Path(root) if root is not None else own, "classes": classes, "part": part}
    arguments = {key: value for key, value in arguments.items() if key in form.arguments()}
    result = form.read(path, **arguments, **(options or {}))
    records, names = result if isinstance(result, tuple) else (result, None)
    records.check_encoding()
    records.check_names()
    if names is not None:
        return records, tuple(names)
    if format == "auto" and name == "paths" and (settled := settle(records, classes)) != name:
        return open_list(path, root=root, classes=classes, format=settled, part=part, options=options)
    if classes is None:
        return records, None
    return numbers_to_labels(records, classes), tuple(classes)


def numbers_to_labels(records: Records, classes: Sequence[str]) -> Records:
    """The records with the labels that their numbers mean: where classes are called by other numbers, the names.

    DataError, which names the video, for a number that may be a label and another class's name.
    """
    index = ClassIndex(classes, source=records.source)
    if not index.numbers_are_names:
        return records
    labels = {}
    for number in sorted(records.labels_seen()):
        row = records.row_with(number)
        labels[number] = index.number(number, line=f"{records.source}: {records[row].video_id!r}")
    note = f"the classes are called by numbers ({', '.join(classes[:4])} …): the list's numbers are taken for names"
    return records.relabelled(labels).noted(note)


def describe(records: Records) -> str:
    """One line on a list: where it is, the form it was read as, how long it is, and what its reader noted."""
    words = f"{records.source}: {len(records)} records, read as {records.form} ({find_form(records.form).words})"
    return "; ".join((words, *records.notes))


def check_labels(records: Records, classes: Sequence[str], *, several: bool = False) -> None:
    """Raise DataError for a label that has no class name, and, unless `several`, for a video without exactly one label.

    With `several` a video may have no label, but not all of them, and labels may have times of their own.
    """
    counts = records.label_counts()
    if not counts.any():
        raise DataError(
            f"{records.source}: none of the {len(records)} videos has a label; training and testing need them"
        )
    if not several and len(classes) == 1:
        raise DataError(
            f"{records.source}: one class alone, {classes[0]!r}: there is nothing to tell it from. Name a folder or "
            "list with two classes or more; of a folder, the sub-folders are the classes"
        )
    if not several and (counts != 1).any():
        row = int((counts != 1).argmax())
        raise DataError(
            f"{records.source}: {records[row].video_id!r} has {counts[row] or 'no'} labels; one is needed. "
            "For videos with several labels, or none, set `several`"
        )
    if not several and (timed := records.timed_row()) is not None:
        raise DataError(
            f"{records.source}: the label of {records[timed].video_id!r} has a time of its own, outside of which a "
            "clip would have none. Write that part of the video as its start and end, or set `several`"
        )
    found = records.label_range()
    assert found is not None
    row, highest = found
    if highest >= len(classes):
        raise DataError(
            f"{records.source}: label {highest} of {records[row].video_id!r} is too high: there are {len(classes)} "
            f"classes, so labels go from 0 to {len(classes) - 1}. Is `classes` the right file?"
        )


def missing_rows(records: Records, rows: Sequence[int]) -> Iterator[int]:
    """Those of these rows whose file or folder is not on disk."""
    return (row for row in rows if not is_on_disk(records[row].path))


def check_files(records: Records, *, most: int = 1000) -> None:
    """Look for at most `most` evenly spaced files; raise DataError that names the first three missing ones."""
    rows = np.unique(np.linspace(0, len(records) - 1, min(most, len(records))).round().astype(int)).tolist()
    missing = list(missing_rows(records, rows))
    if missing:
        near = near_names(records, missing[:20])
        shown = [*near, *(row for row in missing if row not in near)][:3]
        names = "".join(
            f"\n  {records[row].path}" + (f" (on disk: {near[row]})" if row in near else "") for row in shown
        )
        how = "with the names as they are on disk" if near else "of those that are there"
        raise DataError(
            f"{records.source}: {len(missing)} of {len(rows)} files looked for are missing, the first of them:{names}\n"
            f"Relative paths belong to {records.root}; set `root` if they lie elsewhere. "
            f"tools/make_lists.py writes a list {how}."
        )
