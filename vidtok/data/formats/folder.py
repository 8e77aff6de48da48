"""Folders with one sub-folder of videos or pictures per class."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidtok.data.classes import ClassIndex
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.classes import class_order
from vidtok.text.file import check_utf8
from vidtok.video.endings import MEDIA_SUFFIXES, is_hidden, is_video_name
from vidtok.video.frames import PICTURE_SUFFIXES

SPLIT = re.compile(r"(train|training|val|valid|validation|validate|dev|eval|test|testing)[\W_]?\d*", re.IGNORECASE)
"""The name of a part of a data set, which is no class."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies below a folder; names are paths relative to it, sorted part by part."""

    media: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    """Those of `media` that are folders, called like a video, with its frames as pictures in them."""
    broken: list[str] = field(default_factory=list)
    """Links that lead nowhere."""
    others: Counter[str] = field(default_factory=Counter)
    """Files of other endings, by their endings."""


def find_media(folder: Path, *, endings: Sequence[str] = MEDIA_SUFFIXES) -> Found:
    """Every file with one of these endings, at any depth; links are followed, what is hidden is not looked at."""
    found = Found()
    _walk(folder, "", endings, found, above=())
    for names in (found.media, found.frames, found.broken):
        names.sort(key=lambda name: name.split("/"))
    return found


def _walk(
    folder: Path, inside: str, endings: Sequence[str], found: Found, *, above: tuple[tuple[int, int], ...]
) -> None:
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in above:  # a link to a folder that it lies in
        return
    above = (*above, (status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            name, suffix = f"{inside}{entry.name}", os.path.splitext(entry.name)[1].lower()
            if entry.is_dir():
                if is_video_name(entry.name) and ".jpg" in endings and _holds_pictures(entry.path):
                    found.media.append(name)
                    found.frames.append(name)
                else:
                    _walk(Path(entry.path), f"{name}/", endings, found, above=above)
            elif suffix not in endings:
                found.others[suffix or "none"] += 1
            elif entry.is_symlink() and not os.path.exists(entry.path):
                found.broken.append(name)
            else:
                found.media.append(name)


def _holds_pictures(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(
            os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES and not is_hidden(entry.name)
            for entry in entries
        )


def read_folder(folder: str | Path, *, classes: Sequence[str] | None = None) -> tuple[Records, tuple[str, ...]]:
    """One sub-folder of videos or pictures per class; a picture is a video of one frame.

    Without `classes`, the sub-folders in the order of `class_order` are the classes. A folder called like a video that
    holds pictures is a video, and these are its frames. Hidden files and folders do not count; notes say what else was
    left out. Raises DataError for a folder without classes, such as one that holds `train` and `val`.
    """
    folder = Path(folder)
    names = [sub.name for sub in folder.iterdir() if sub.is_dir() and not is_hidden(sub.name)]
    found = find_media(folder)
    loose = [name for name in found.media if "/" not in name]
    if not names:
        raise DataError(
            f"{folder}: no sub-folders; it needs one sub-folder of videos per class"
            + (
                f". {len(loose)} videos lie in it directly: is it one of the classes? Name the folder above"
                if loose
                else ""
            )
        )
    for name in names:
        check_utf8(name, source=f"{folder}: the sub-folder {name!a}")
    _check_level(folder, [name for name in names if classes is None or name not in classes])
    index = ClassIndex(classes if classes is not None else class_order(names), source=folder)
    labels = {name: (index.label(name),) for name in names}
    builder = RecordsBuilder()
    rows = sorted((name.split("/") for name in found.media if "/" in name), key=lambda parts: (parts[0], parts))
    for parts in rows:
        builder.add("/".join(parts), labels[parts[0]])
    columns = builder.columns()
    if not len(columns.labels):
        raise DataError(
            f"{folder}: no videos or pictures in its sub-folders (known endings: {' '.join(MEDIA_SUFFIXES)})"
        )
    notes = _notes(found, rows, loose)
    return Records.from_columns(columns, root=folder, source=folder, form="folder", notes=notes), index.given or ()


def _check_level(folder: Path, names: Sequence[str]) -> None:
    """DataError where the sub-folders are the parts of a data set."""
    splits = [name for name in names if SPLIT.fullmatch(name)]
    words = {match[1].lower() for name in splits if (match := SPLIT.fullmatch(name))}
    if splits and (len(words) > 1 or len(splits) == len(names)):
        raise DataError(
            f"{folder}: holds {', '.join(sorted(splits))}, which are parts of a data set and no classes; name one of "
            f"them, such as {folder / min(splits)}. If they are classes, name them in a class file"
        )


def _notes(found: Found, rows: Sequence[Sequence[str]], loose: Sequence[str]) -> list[str]:
    """What a person might not expect."""
    notes = []
    if found.frames:
        notes.append(
            f"{len(found.frames)} folders called like videos are taken for their frames, 25 per second, such as "
            f"{found.frames[0]}"
        )
    deep = [parts for parts in rows if len(parts) > 2 and os.path.splitext(parts[-1])[1].lower() in PICTURE_SUFFIXES]
    if deep:
        notes.append(
            f"{len(deep)} pictures in folders below the classes are taken for videos of one frame each, such as "
            f"{'/'.join(deep[0])}; frames of videos need a list (rawframes)"
        )
    flat = [parts for parts in rows if len(parts) == 2 and os.path.splitext(parts[1])[1].lower() in PICTURE_SUFFIXES]
    if flat and len(flat) + len(deep) < len(rows):
        notes.append(
            f"{len(flat)} pictures beside videos are taken for videos of one frame each, such as {'/'.join(flat[0])}; "
            "take them out if they are none of your clips"
        )
    if len(deep) < len(rows) and all(len(parts) > 2 for parts in rows):
        below: dict[str, set[str]] = {}
        for parts in rows:
            below.setdefault(parts[1], set()).add(parts[0])
        if shared := sorted(name for name, above in below.items() if len(above) > 1):
            notes.append(
                f"several sub-folders hold folders of the same names ({', '.join(shared[:3])}): is the folder one "
                "level too high? Its own sub-folders are taken for the classes"
            )
    if loose:
        notes.append(f"{len(loose)} videos beside the sub-folders are left out, such as {loose[0]}")
    if found.broken:
        notes.append(f"{len(found.broken)} links that lead nowhere are left out, such as {found.broken[0]}")
    if found.others:
        endings = " ".join(ending for ending, _ in found.others.most_common(4))
        notes.append(f"{found.others.total()} files of other endings are left out ({endings})")
    return notes
