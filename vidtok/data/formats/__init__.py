"""The forms of lists that the field uses, by name. To add one: a function, a row here, and how it is recognised."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidtok.choices import LIST_FORMS
from vidtok.data.classes import ClassIndex
from vidtok.data.columns import UNDERSTOOD, is_header
from vidtok.data.csv_list import first_cells, read_csv
from vidtok.data.formats.avid import read_avid
from vidtok.data.formats.charades import FRAMES_HEADER, read_charades, read_charades_frames
from vidtok.data.formats.clips import is_diving48, is_moments, read_diving48, read_moments
from vidtok.data.formats.cvat import is_cvat, read_cvat
from vidtok.data.formats.databases import (
    is_activitynet,
    is_coin,
    is_kinetics_json,
    read_activitynet,
    read_coin,
    read_kinetics_json,
)
from vidtok.data.formats.elan import is_elan, read_elan
from vidtok.data.formats.epic import COLUMNS as EPIC_COLUMNS
from vidtok.data.formats.epic import read_epic_kitchens
from vidtok.data.formats.folder import read_folder
from vidtok.data.formats.intervals import (
    HACS_COLUMNS,
    are_seconds,
    is_ava,
    is_intervals,
    is_thumos,
    read_ava,
    read_hacs_clips,
    read_intervals,
    read_thumos,
)
from vidtok.data.formats.kinetics import COLUMNS, read_kinetics
from vidtok.data.formats.label_studio import is_label_studio, read_label_studio
from vidtok.data.formats.objects import is_json_lines, is_table, read_objects
from vidtok.data.formats.paths import read_paths, read_pyslowfast, read_rawframes, read_rawframes_offset
from vidtok.data.formats.shards import is_shards, read_shards
from vidtok.data.formats.something import read_something_v1, read_something_v2
from vidtok.data.formats.splits import HMDB_FILE, read_hmdb51, read_ucf101
from vidtok.data.formats.via import is_via, read_via
from vidtok.data.lines import first_lines, numbered_lines
from vidtok.data.records import Records
from vidtok.errors import ConfigError, DataError
from vidtok.text.classes import is_number
from vidtok.text.file import read_json
from vidtok.text.xml import read_xml
from vidtok.video.endings import is_hidden, is_video_name

UCF_LINE = re.compile(r"[^/]+/v_\w+_g\d+_c\d+\.avi(\s+\d+)?")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of lists: what it is in words, with an example, and the function that reads it."""

    words: str
    read: Callable[..., Any]
    of_folders: bool = False
    """Whether a folder of such files is a list, too."""

    def arguments(self) -> list[str]:
        """Names of the reader's arguments after the list itself."""
        return list(inspect.signature(self.read).parameters)[1:]

    def options(self) -> list[str]:
        """Those that not every form could have."""
        return [name for name in self.arguments() if name not in ("root", "classes", "part")]


FORMS: dict[str, Form] = {
    "paths": Form(words=LIST_FORMS["paths"], read=read_paths),
    "csv": Form(words=LIST_FORMS["csv"], read=read_csv),
    "json": Form(words=LIST_FORMS["json"], read=read_objects),
    "folder": Form(words=LIST_FORMS["folder"], read=read_folder),
    "pyslowfast": Form(words=LIST_FORMS["pyslowfast"], read=read_pyslowfast),
    "rawframes": Form(words=LIST_FORMS["rawframes"], read=read_rawframes),
    "rawframes_offset": Form(words=LIST_FORMS["rawframes_offset"], read=read_rawframes_offset),
    "kinetics": Form(words=LIST_FORMS["kinetics"], read=read_kinetics),
    "charades": Form(words=LIST_FORMS["charades"], read=read_charades),
    "charades_frames": Form(words=LIST_FORMS["charades_frames"], read=read_charades_frames),
    "avid": Form(words=LIST_FORMS["avid"], read=read_avid),
    "something_v1": Form(words=LIST_FORMS["something_v1"], read=read_something_v1),
    "something_v2": Form(words=LIST_FORMS["something_v2"], read=read_something_v2),
    "ucf101": Form(words=LIST_FORMS["ucf101"], read=read_ucf101),
    "hmdb51": Form(words=LIST_FORMS["hmdb51"], read=read_hmdb51),
    "cvat": Form(words=LIST_FORMS["cvat"], read=read_cvat, of_folders=True),
    "label_studio": Form(words=LIST_FORMS["label_studio"], read=read_label_studio),
    "via": Form(words=LIST_FORMS["via"], read=read_via),
    "elan": Form(words=LIST_FORMS["elan"], read=read_elan, of_folders=True),
    "epic_kitchens": Form(words=LIST_FORMS["epic_kitchens"], read=read_epic_kitchens),
    "activitynet": Form(words=LIST_FORMS["activitynet"], read=read_activitynet),
    "hacs_clips": Form(words=LIST_FORMS["hacs_clips"], read=read_hacs_clips),
    "thumos": Form(words=LIST_FORMS["thumos"], read=read_thumos),
    "ava": Form(words=LIST_FORMS["ava"], read=read_ava),
    "intervals": Form(words=LIST_FORMS["intervals"], read=read_intervals),
    "moments": Form(words=LIST_FORMS["moments"], read=read_moments),
    "diving48": Form(words=LIST_FORMS["diving48"], read=read_diving48),
    "kinetics_json": Form(words=LIST_FORMS["kinetics_json"], read=read_kinetics_json),
    "coin": Form(words=LIST_FORMS["coin"], read=read_coin),
    "shards": Form(words=LIST_FORMS["shards"], read=read_shards),
}


XML_SUFFIXES = (".xml", ".eaf")
JSON_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "label_studio": is_label_studio,
    "via": lambda content: isinstance(content, dict) and is_via(content),
    "coin": is_coin,
    "activitynet": is_activitynet,
    "kinetics_json": is_kinetics_json,
    "diving48": is_diving48,
}
"""By keys that no other form has."""


def find_form(name: str) -> Form:
    if name not in FORMS:
        raise ConfigError(f"no form of lists is called {name!r}; there are: auto, {', '.join(FORMS)}")
    return FORMS[name]


def detect(path: Path) -> str:
    """The name of a list's form, told by its name and its first lines. DataError where that leaves several."""
    if is_shards(path):
        return "shards"
    if path.is_dir():
        if inside := sorted(file.name for file in path.iterdir() if HMDB_FILE.fullmatch(file.name)):
            raise DataError(f"{path}: holds split files of HMDB51; name one of them, such as {path / inside[0]}")
        return _detect_folder(path)
    if path.suffix == ".json":
        return _detect_json(path)
    lines = first_lines(path)
    if not lines:
        raise DataError(f"{path}: the list is empty; it needs one `path label` line per video")
    if path.suffix in XML_SUFFIXES or lines[0].startswith(("<?xml", "<annotations", "<ANNOTATION_DOCUMENT")):
        return _detect_xml(path)
    if is_json_lines(path, lines):
        return "json"
    if lines[0] == FRAMES_HEADER:
        return "charades_frames"
    if HMDB_FILE.fullmatch(path.name):
        return "hmdb51"
    header = first_cells(path)
    if is_thumos(path, lines):
        return "thumos"
    if set(header).issuperset(COLUMNS):
        return "kinetics"
    if set(header).issuperset(EPIC_COLUMNS):
        return "epic_kitchens"
    if set(header).issuperset(HACS_COLUMNS):
        return "hacs_clips"
    if set(header).issuperset(("id", "actions")):
        return "charades"
    if is_header(header) and (len(header) > 1 or len(lines) > 1):
        return "csv"
    if all(UCF_LINE.fullmatch(line) for line in lines):
        return _detect_ucf(path)
    if all(re.fullmatch(r"\d+;.*[^\d;].*", line) for line in lines):
        return "something_v1"
    if is_moments(lines):
        return "moments"
    if is_ava(lines):
        return "ava"
    if is_intervals(lines):
        if are_seconds(lines):
            return "intervals"
        raise DataError(
            f"{path}: `{lines[0]}`: are the two numbers seconds (then say so with `format`=intervals), or frames? "
            f"For these write a header; {UNDERSTOOD}; and start and end, in seconds"
        )
    return "paths"


def _detect_folder(path: Path) -> str:
    """Exports for one video each lie together in a folder, without sub-folders of classes."""
    if not any(each.is_dir() and not is_hidden(each.name) for each in path.iterdir()):
        for suffix in XML_SUFFIXES:
            if found := sorted(path.glob(f"*{suffix}")):
                return _detect_xml(found[0])
    return "folder"


def _detect_xml(path: Path) -> str:
    top = read_xml(path)
    if is_elan(top):
        return "elan"
    if is_cvat(top):
        return "cvat"
    raise DataError(
        f"{path}:{top.line}: <{top.tag}> is no known list in XML: CVAT has <annotations> with <meta> in it, ELAN an "
        "<ANNOTATION_DOCUMENT>"
    )


def _detect_json(path: Path) -> str:
    content = read_json(path)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "template" in content[0]:
        return "something_v2"
    if isinstance(content, dict) and content and all(isinstance(value, str) for value in content.values()):
        return "json" if all(map(is_number, content.values())) else "avid"
    for name, is_form in JSON_FORMS.items():
        if is_form(content):
            return name
    if is_table(content) and (not isinstance(content, list) or is_header(list(content[0]))):
        return "json"
    raise DataError(
        f'{path}: no known list in JSON: AViD has an object {{"FILE.mp4": "class", …}}, Something-Something v2 a list '
        'of objects with id and template (its test list has no classes), ActivityNet and COIN an object "database", '
        'Label Studio tasks with data and annotations, VIA 3 a project; others are {"a.mp4": 3, …}, or objects '
        f'[{{"video": "a.mp4", "label": "run"}}, …], of whose keys {UNDERSTOOD}'
    )


def _detect_ucf(path: Path) -> str:
    """UCF101's own lists count from 1, and others' lists of the same lines from 0."""
    numbers = {line.split()[-1] for _, line in numbered_lines(path) if len(line.split()) > 1}
    if "0" in numbers:
        return "paths"
    if not numbers or (path.parent / "classInd.txt").is_file():
        return "ucf101"
    raise _ambiguous(
        path,
        {"paths": "numbers that count from 0", "ucf101": "UCF101's own, which count from 1, with classInd.txt beside"},
    )


def settle(records: Records, classes: Sequence[str] | None) -> str:
    """The form of a list of numbers that was read as `paths` without being asked for.

    Two or more numbers on every line can be labels, and can be a number of frames and a label or several. No video has
    0 frames, and no label is as high as the number of classes, where that is known. DataError where that leaves several
    forms.
    """
    counts = records.label_counts()
    if not len(counts) or counts.min() < 2:
        return "paths"
    first, second = (records.label_column(place) for place in (0, 1))
    candidates = {}
    if classes is None or _are_labels(records, classes):
        candidates["paths"] = f"{counts.min()} labels per video" if counts.max() == counts.min() else "several labels"
    names = [Path(records[int(row)].video_id) for row in np.linspace(0, len(counts) - 1, min(len(counts), 200))]
    videos = [is_video_name(name) and not (records.root / name).is_dir() for name in names]
    if any(videos) and counts.max() == 2 and first.min() > 0:
        candidates["pyslowfast"] = "path, number of frames, label"
    if not all(videos) and first.min() > 0:
        candidates["rawframes"] = "folder, number of frames, label" + (" or labels" if counts.max() > 2 else "")
    if not all(videos) and counts.min() > 2 and second.min() > 0:
        candidates["rawframes_offset"] = "folder, first frame, number of frames, label"
    if len(candidates) > 1:
        raise _ambiguous(records.source, candidates)
    return next(iter(candidates), "paths")


def _are_labels(records: Records, classes: Sequence[str]) -> bool:
    """Whether every number of a list can be a label of these classes."""
    index = ClassIndex(classes, source=records.source)
    try:
        return all(index.number(number) < len(classes) for number in records.labels_seen())
    except DataError:
        return False


def _ambiguous(path: Path, candidates: Mapping[str, str]) -> DataError:
    listed = "".join(f"\n  {name}: {words}" for name, words in candidates.items())
    return DataError(f"{path}: may be of several forms; say which one with `format`:{listed}")
