"""Folders with one sub-folder of videos or pictures per class."""

from collections.abc import Sequence
from pathlib import Path

from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.video.endings import MEDIA_SUFFIXES


def read_folder(folder: str | Path, *, classes: Sequence[str] | None = None) -> tuple[Records, tuple[str, ...]]:
    """One sub-folder of videos or pictures per class; a picture is a video of one frame.

    Without `classes`, the sub-folders in alphabetical order are the classes.
    """
    folder = Path(folder)
    found = sorted(sub.name for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))
    if not found:
        raise DataError(f"{folder}: no sub-folders; it needs one sub-folder of videos per class")
    known = tuple(classes) if classes is not None else tuple(found)
    strange = [name for name in found if name not in known]
    if strange:
        raise DataError(
            f"{folder}: sub-folder {strange[0]!r} is none of the {len(known)} classes ({', '.join(known[:8])} …)"
        )
    endings = MEDIA_SUFFIXES
    builder = RecordsBuilder()
    for name in found:
        label = (known.index(name),)
        for file in sorted((folder / name).rglob("*")):
            if file.suffix.lower() in endings:
                builder.add(str(file.relative_to(folder)), label)
    columns = builder.columns()
    if not len(columns.labels):
        raise DataError(f"{folder}: no videos or pictures in its sub-folders (known endings: {' '.join(endings)})")
    return Records.from_columns(columns, root=folder, source=folder, form="folder"), known
