"""List files and class folders, read into columns.

A list has one line per video: its path, then one or more labels, whole numbers from 0 on. The separator (tab, comma,
semicolon or space) is found by itself; a path may hold spaces:

    abseiling/k3 -_x.mp4 0
    "air drumming"/a.mp4 1
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vidtok.errors import DataError
from vidtok.types import Record

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")  # videos of one frame
SEPARATORS = {"tab": r"\t", "comma": r"[ ]*,[ ]*", "semicolon": r"[ ]*;[ ]*", "space": r"[ \t]+"}


class Records(Sequence[Record]):
    """Records of one list, held as columns: worker processes share them instead of copying 650,000 objects.

    `records[i]` makes a Record; its `video_id` is the path as the list writes it.
    """

    def __init__(self, names: Iterable[str], labels: Iterable[Sequence[int]], *, root: Path, source: Path):
        self.root = root
        self.source = source
        encoded = [name.encode() for name in names]
        self._text = b"".join(encoded)
        self._text_ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        flat, ends = array("q"), array("q")
        for row in labels:
            flat.extend(row)
            ends.append(len(flat))
        self._labels = np.frombuffer(flat, dtype=np.int64)
        self._label_ends = np.frombuffer(ends, dtype=np.int64)
        if len(self._label_ends) != len(self._text_ends):
            raise ValueError(f"{len(self._text_ends)} names, but {len(self._label_ends)} rows of labels")

    def __len__(self) -> int:
        return len(self._text_ends)

    def __iter__(self) -> Iterator[Record]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row):  # no annotation: a slice has no Record
        row = range(len(self))[row]
        name = self._text[self._start(self._text_ends, row) : self._text_ends[row]].decode()
        labels = self._labels[self._start(self._label_ends, row) : self._label_ends[row]]
        return Record(path=self.root / name, labels=tuple(labels.tolist()), video_id=name)

    @staticmethod
    def _start(ends: np.ndarray, row: int) -> int:
        return int(ends[row - 1]) if row else 0

    def label_counts(self) -> np.ndarray:
        """How many labels each row has."""
        return np.diff(self._label_ends, prepend=0)

    def label_range(self) -> tuple[int, int]:
        """The row with the highest label, and that label."""
        at = int(self._labels.argmax())
        return int(np.searchsorted(self._label_ends, at, side="right")), int(self._labels[at])


def read_list(path: str | Path, *, root: str | Path | None = None) -> Records:
    """Read `path label…` lines. Relative paths belong to `root`, by default the list's folder.

    Byte-order mark, CRLF and blank lines are understood; a path may stand in double quotes. All whole
    numbers at the end of a line are labels. Raises DataError, which names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path}: no such list.\n"
            f"Write one line per video, `path/to/video.mp4 label`, with labels that count from 0 in the order of the "
            f"class file (data.classes); relative paths belong to data.root ({root or path.parent}).\n"
            f"Or name a folder that has one sub-folder of videos per class, such as data.train=my_videos/train."
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error})") from error
    rows = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{path}: the list is empty; it needs one `path label` line per video")
    pattern = _line_pattern([line for _, line in rows[:100]], path)
    names, labels = [], []
    for number, line in rows:
        match = pattern.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{number}: no whole number as a label at the end of {line!r}; write `path label`")
        name = match["path"]
        names.append(name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name)
        labels.append([int(label) for label in re.findall(r"-?\d+", match["labels"])])
        if min(labels[-1]) < 0:
            raise DataError(f"{path}:{number}: label {min(labels[-1])} is negative; labels count from 0")
    return Records(names, labels, root=Path(root) if root else path.parent, source=path)


def _line_pattern(lines: Sequence[str], path: Path) -> re.Pattern[str]:
    """The first separator that all of these lines understand."""
    for separator in SEPARATORS.values():
        pattern = re.compile(rf"(?P<path>.+?)(?P<labels>(?:{separator}-?\d+)+)")
        if all(pattern.fullmatch(line) for line in lines):
            return pattern
    # No separator fits every line: take the commonest one, so that the message names the first odd line.
    patterns = [re.compile(rf"(?P<path>.+?)(?P<labels>(?:{separator}-?\d+)+)") for separator in SEPARATORS.values()]
    return max(patterns, key=lambda pattern: sum(pattern.fullmatch(line) is not None for line in lines))


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
    endings = (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)
    videos: list[tuple[str, list[int]]] = []
    for name in found:
        label = [known.index(name)]
        files = [f for f in sorted((folder / name).rglob("*")) if f.suffix.lower() in endings]
        videos += [(str(file.relative_to(folder)), label) for file in files]
    if not videos:
        raise DataError(f"{folder}: no videos or pictures in its sub-folders (known endings: {' '.join(endings)})")
    names, labels = zip(*videos, strict=True)
    return Records(names, labels, root=folder, source=folder), known


def read_classes(path: str | Path) -> tuple[str, ...]:
    """One class name per line, in the order of the labels."""
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path}: no such class file (data.classes); write one class name per line, in the order of the labels"
        )
    names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{path}:{number}: an empty line; every line is the name of one class")
        if name in names[: number - 1]:
            raise DataError(f"{path}:{number}: the class {name!r} stands on line {names.index(name) + 1} already")
    if not names:
        raise DataError(f"{path}: no class names; write one per line")
    return tuple(names)


def check_labels(records: Records, classes: Sequence[str], *, several: bool = False) -> None:
    """Raise DataError for a label that has no class name, and for a video with more than one label unless `several`."""
    counts = records.label_counts()
    if not several and (counts != 1).any():
        row = int((counts != 1).argmax())
        raise DataError(
            f"{records.source}: {records[row].video_id!r} has {counts[row]} labels; one is needed. "
            "For videos with several labels set train.loss=sigmoid"
        )
    row, highest = records.label_range()
    if highest >= len(classes):
        raise DataError(
            f"{records.source}: label {highest} of {records[row].video_id!r} is too high: there are {len(classes)} "
            f"classes, so labels go from 0 to {len(classes) - 1}. Is data.classes the right file?"
        )


def check_files(records: Records, *, most: int = 1000) -> None:
    """Look for at most `most` evenly spaced files; raise DataError that names the first three missing ones."""
    rows = np.unique(np.linspace(0, len(records) - 1, min(most, len(records))).round().astype(int))
    missing = [records[int(row)].path for row in rows if not records[int(row)].path.exists()]
    if missing:
        names = "".join(f"\n  {path}" for path in missing[:3])
        raise DataError(
            f"{records.source}: {len(missing)} of {len(rows)} files looked for are missing, the first of them:{names}\n"
            f"Relative paths belong to {records.root}; set data.root if they lie elsewhere."
        )
