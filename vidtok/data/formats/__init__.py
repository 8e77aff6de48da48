"""The forms of lists that the field uses, by name. To add one: a function, a row here, and how it is recognised."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidtok.choices import LIST_FORMS
from vidtok.data.csv_list import read_csv
from vidtok.data.formats.avid import read_avid
from vidtok.data.formats.charades import FRAMES_HEADER, read_charades, read_charades_frames
from vidtok.data.formats.folder import VIDEO_SUFFIXES, read_folder
from vidtok.data.formats.kinetics import COLUMNS, read_kinetics
from vidtok.data.formats.paths import (
    first_lines,
    numbered_lines,
    read_paths,
    read_pyslowfast,
    read_rawframes,
    read_rawframes_offset,
)
from vidtok.data.formats.something import read_something_v1, read_something_v2
from vidtok.data.formats.splits import HMDB_FILE, read_hmdb51, read_ucf101
from vidtok.data.records import Records
from vidtok.errors import ConfigError, DataError
from vidtok.text.file import read_json

UCF_LINE = re.compile(r"[^/]+/v_\w+_g\d+_c\d+\.avi(\s+\d+)?")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of lists: what it is in words, with an example, and the function that reads it."""

    words: str
    read: Callable[..., Any]

    def arguments(self) -> list[str]:
        """Names of the reader's arguments after the list itself."""
        return list(inspect.signature(self.read).parameters)[1:]

    def options(self) -> list[str]:
        """Those that not every form could have."""
        return [name for name in self.arguments() if name not in ("root", "classes", "part")]


FORMS: dict[str, Form] = {
    "paths": Form(words=LIST_FORMS["paths"], read=read_paths),
    "csv": Form(words=LIST_FORMS["csv"], read=read_csv),
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
}


def find_form(name: str) -> Form:
    if name not in FORMS:
        raise ConfigError(f"no form of lists is called {name!r}; there are: auto, {', '.join(FORMS)}")
    return FORMS[name]


def detect(path: Path) -> str:
    """The name of a list's form, told by its name and its first lines. DataError where that leaves several."""
    if path.is_dir():
        if inside := sorted(file.name for file in path.iterdir() if HMDB_FILE.fullmatch(file.name)):
            raise DataError(f"{path}: holds split files of HMDB51; name one of them, such as {path / inside[0]}")
        return "folder"
    if path.suffix == ".json":
        return _detect_json(path)
    lines = first_lines(path)
    if not lines:
        raise DataError(f"{path}: the list is empty; it needs one `path label` line per video")
    if lines[0] == FRAMES_HEADER:
        return "charades_frames"
    if HMDB_FILE.fullmatch(path.name):
        return "hmdb51"
    header = {cell.strip() for cell in lines[0].split(",")}
    if header.issuperset(COLUMNS):
        return "kinetics"
    if header.issuperset(("id", "actions")):
        return "charades"
    if "path" in header and header & {"label", "labels"}:
        return "csv"
    if all(UCF_LINE.fullmatch(line) for line in lines):
        return _detect_ucf(path)
    if all(re.fullmatch(r"\d+;.*[^\d;].*", line) for line in lines):
        return "something_v1"
    return "paths"


def _detect_json(path: Path) -> str:
    content = read_json(path)
    if isinstance(content, dict) and content and all(isinstance(value, str) for value in content.values()):
        return "avid"
    if isinstance(content, list) and content and isinstance(content[0], dict) and "template" in content[0]:
        return "something_v2"
    raise DataError(
        f'{path}: no known list in JSON: AViD has an object {{"FILE.mp4": "class", …}}, Something-Something v2 a list '
        "of objects with id and template (its test list has no classes)"
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
    """The form of a list that was read as `paths` without being asked for.

    Two or more numbers on every line can be labels, and can be a number of frames and a label. No video has 0 frames,
    and no label is as high as the number of classes, where that is known. DataError where that leaves several forms.
    """
    numbers = records.label_table()
    count = 0 if numbers is None else numbers.shape[1]
    if numbers is None or count < 2:
        return "paths"
    candidates = {}
    if classes is None or (numbers < len(classes)).all():
        candidates["paths"] = f"{count} labels per video"
    is_video = records[0].path.suffix.lower() in VIDEO_SUFFIXES
    has_frames = [bool(column.min() > 0) for column in numbers.T]
    if is_video and count == 2 and has_frames[0]:
        candidates["pyslowfast"] = "path, number of frames, label"
    if not is_video and has_frames[0]:
        candidates["rawframes"] = "folder, number of frames, label"
    if not is_video and count > 2 and has_frames[1]:
        candidates["rawframes_offset"] = "folder, first frame, number of frames, label"
    if len(candidates) > 1:
        raise _ambiguous(records.source, candidates)
    return next(iter(candidates), "paths")


def _ambiguous(path: Path, candidates: Mapping[str, str]) -> DataError:
    listed = "".join(f"\n  {name}: {words}" for name, words in candidates.items())
    return DataError(f"{path}: may be of several forms; say which one with data.format, or --format:{listed}")
