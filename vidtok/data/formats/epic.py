"""EPIC-KITCHENS' lists of actions: a verb and a noun for each part of a video."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from vidtok.choices import EpicLabel
from vidtok.data.csv_list import csv_header, csv_rows
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.formats.segments import Result, Segments, check_id
from vidtok.errors import DataError

COLUMNS = ("participant_id", "video_id", "start_timestamp", "stop_timestamp", "verb_class", "noun_class")


def read_epic_kitchens(
    path: Path,
    *,
    root: Path,
    classes: Sequence[str] | None = None,
    label: str | None = None,
    fps: float | None = None,
) -> Result:
    """`EPIC_100_train.csv`, `EPIC_100_validation.csv`, and the same of EPIC-KITCHENS-55.

    `label` says which class is meant: verb, noun, or action, which is the pair of both. Names come from
    `EPIC_100_verb_classes.csv` and `EPIC_100_noun_classes.csv` (id,key,…) beside the list; without them verbs and nouns
    are numbers, and actions are called `verb 3 noun 10`. A video is root/P01/videos/P01_01.MP4, root/P01/P01_01.MP4 or
    root/P01_01.MP4, with any ending; a folder of frames of this name needs its rate, `fps`.
    """
    if label is None or label not in get_args(EpicLabel):
        raise DataError(f"{path}: an action has a verb and a noun: say `label`=verb, noun or action, not {label!r}")
    rows = csv_rows(path)
    places = csv_header(path, rows, COLUMNS)
    names = {kind: _class_names(path.parent, kind) for kind in ("verb", "noun")}
    segments = Segments(path, root=root, classes=classes, form="epic_kitchens", published=True)
    finder = MediaFinder(root)
    for line, row in rows:
        place = f"{path}:{line}"
        if len(row) != len(places):
            raise DataError(f"{place}: {len(row)} cells, but the header has {len(places)}")
        cells = {name: row[places[name]].strip() for name in COLUMNS}
        who, video_id = (check_id(cells[name], f"{place}: {name}") for name in ("participant_id", "video_id"))
        found = finder.find((video_id,), folders=(f"{who}/videos", who, f"{who}/rgb_frames", ""))
        if found is not None and found.is_folder and fps is None:
            raise DataError(f"{place}: {found.name} is a folder of frames: say at which rate they were taken, `fps`")
        word: int | str = 0
        if label == "action":
            word = " ".join(_name(names[kind], _class(cells, kind, place), kind) for kind in ("verb", "noun"))
        else:
            word = _class(cells, label, place)
        segments.add(
            found.name if found else f"{who}/videos/{video_id}.MP4",
            [word],
            place=place,
            start=_seconds(cells["start_timestamp"], f"{place}: start_timestamp"),
            end=_seconds(cells["stop_timestamp"], f"{place}: stop_timestamp"),
            video_id=video_id,
            fps=fps if found is not None and found.is_folder else None,
        )
    given = tuple(classes) if classes is not None else names.get(str(label))
    return segments.result(names=None if label == "action" else given)


def _class(cells: dict[str, str], kind: str, place: str) -> int:
    text = cells[f"{kind}_class"]
    if not text.isdecimal():
        raise DataError(f"{place}: {kind}_class is a number from 0 on, not {text!r}")
    return int(text)


def _name(names: Sequence[str] | None, number: int, kind: str) -> str:
    return names[number] if names is not None and number < len(names) else f"{kind} {number}"


def _class_names(folder: Path, kind: str) -> tuple[str, ...] | None:
    """Of the class file beside the list; None where there is none."""
    found = sorted(folder.glob(f"EPIC_*{kind}_classes*.csv"))
    if not found:
        return None
    rows = csv_rows(found[0])
    header = [cell.strip() for cell in next(rows, (0, []))[1]]
    at_id = next((header.index(name) for name in ("id", f"{kind}_id") if name in header), None)
    at_key = next((header.index(name) for name in ("key", "class_key") if name in header), None)
    if at_id is None or at_key is None:
        raise DataError(f"{found[0]}:1: the columns id and key name the classes; the header is {','.join(header)!r}")
    keys = {row[at_id].strip(): row[at_key].strip() for _, row in rows}
    if set(keys) != {str(number) for number in range(len(keys))}:
        raise DataError(f"{found[0]}: {len(keys)} classes need the ids 0 to {len(keys) - 1}, each of them once")
    return tuple(keys[str(number)] for number in range(len(keys)))


def _seconds(text: str, place: str) -> float:
    """`00:01:02.345`, the fraction where there is one."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    if match is None:
        raise DataError(f"{place} is written 00:01:02.345, not {text!r}")
    # Rounded, so that 62.345 is what a list with that number would read to.
    return round(3600 * int(match[1]) + 60 * int(match[2]) + float(match[3]), 6)
