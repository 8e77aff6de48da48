"""Lists of times: AVA, `video,start,end,class` lines, HACS' clips, and THUMOS' files for each class."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.data.csv_list import csv_header, csv_rows
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.formats.segments import Result, Segments, check_id, to_seconds
from vidtok.data.lines import numbered_lines
from vidtok.errors import DataError
from vidtok.text.file import read_text
from vidtok.video.endings import is_media_name

AVA_CLASSES = 80
AVA_SECONDS = 3.0  # what an annotator sees of a key frame (Gu et al., 1705.08421, section 3)
HACS_COLUMNS = ("classname", "youtube_id", "subset", "start", "end", "label")
HACS_SUBSETS = {"train": "training", "val": "validation"}
THUMOS_FILE = re.compile(r"(\w+)_(val|test)\.txt")
THUMOS_LINE = re.compile(r"(video_(?:validation|test)_\d+)\s+(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def is_ava(lines: Sequence[str]) -> bool:
    """`id,second,x1,y1,x2,y2,action[,person]`, or only the first two where nothing happens."""
    rows = [line.split(",") for line in lines]
    return any(len(row) > 2 for row in rows) and all(
        len(row) in (2, 7, 8)
        and all(NUMBER.fullmatch(cell) for cell in row[1:])
        and all(float(cell) <= 1 for cell in row[2:6])
        and not is_media_name(row[0])
        for row in rows
    )


def read_ava(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> Result:
    """`ava_train_v2.2.csv`: the actions of all persons in the three seconds around each key frame.

    A record is a key frame's second ± 1.5, as its annotators saw it, and its labels are those of every person there;
    boxes and persons are left out. Action 1 is label 0. Names come from `ava_action_list_*.pbtxt` beside the list, else
    they are `action 1` to `action 80`. A video is root/ID with any ending.
    """
    names = tuple(classes) if classes is not None else _ava_names(path.parent)
    segments, finder = Segments(path, root=root, classes=classes, form="ava"), MediaFinder(root)
    moments: dict[tuple[str, float], tuple[int, dict[int, None]]] = {}
    for line, text in numbered_lines(path):
        row = text.split(",")
        if not is_ava([text]) and not (len(row) == 2 and NUMBER.fullmatch(row[1])):
            raise DataError(f"{path}:{line}: a line is `id,second,x1,y1,x2,y2,action,person`, not {text!r}")
        key = check_id(row[0], f"{path}:{line}"), float(row[1])
        labels = moments.setdefault(key, (line, {}))[1]
        if len(row) > 2:
            if not (row[6].isdecimal() and 0 < int(row[6]) <= AVA_CLASSES):
                raise DataError(f"{path}:{line}: an action is a number from 1 to {AVA_CLASSES}, not {row[6]!r}")
            labels[int(row[6]) - 1] = None
    for (video_id, second), (line, labels) in moments.items():
        segments.add(
            _name(finder, video_id),
            sorted(labels),
            place=f"{path}:{line}",
            start=max(0.0, second - AVA_SECONDS / 2),
            end=second + AVA_SECONDS / 2,
            video_id=video_id,
        )
    return segments.result(names=names)


def _ava_names(folder: Path) -> tuple[str, ...]:
    names = {number: f"action {number}" for number in range(1, AVA_CLASSES + 1)}
    for file in sorted(folder.glob("ava_action_list_*.pbtxt"))[:1]:
        text = read_text(file, what="class file")
        found = re.findall(r'name:\s*"([^"]*)"\s*(?:label_)?id:\s*(\d+)', text)
        if not found:
            raise DataError(f'{file}: no `name: "…"` and `id: …` in it')
        names.update({int(number): name for name, number in found if int(number) in names})
    return tuple(names.values())


def is_intervals(lines: Sequence[str]) -> bool:
    """`video,start,end,class`: two numbers in the middle, and a name at the end."""
    rows = [_cells(line) for line in lines]
    return bool(rows) and all(
        len(row) == 4
        and all(NUMBER.fullmatch(cell) for cell in row[1:3])
        and not NUMBER.fullmatch(row[3])
        and not is_media_name(row[3])
        for row in rows
    )


def are_seconds(lines: Sequence[str]) -> bool:
    """Whether the numbers of such lines can be no frames: some have a fraction."""
    return any("." in cell for line in lines for cell in _cells(line)[1:3])


def read_intervals(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> Result:
    """`video,start,end,class` without a header, in seconds, as `ava_speech_labels_v1.csv` has it.

    A video is the path of a file, or an id: root/ID with any ending.
    """
    segments, finder = Segments(path, root=root, classes=classes, form="intervals"), MediaFinder(root)
    for line, text in numbered_lines(path):
        place, row = f"{path}:{line}", _cells(text)
        if not is_intervals([text]):
            raise DataError(f"{place}: a line is `video,start,end,class`, with seconds in the middle, not {text!r}")
        is_path = is_media_name(row[0])
        segments.add(
            row[0] if is_path else _name(finder, check_id(row[0], place)),
            [row[3]],
            place=place,
            start=float(row[1]),
            end=float(row[2]),
            video_id=None if is_path else row[0],
        )
    return segments.result()


def read_hacs_clips(path: Path, *, root: Path, classes: Sequence[str] | None = None, part: str = "train") -> Result:
    """`HACS_clips_v1.1.1.csv`: classname,youtube_id,subset,start,end,label; those with label 1 show their class.

    Those with label -1 show that it is not there, and are left out. A video is root/v_ID.mp4, root/ID.mp4, or the same
    in a folder called by its class, with any ending.
    """
    rows = csv_rows(path)
    places = csv_header(path, rows, HACS_COLUMNS)
    segments = Segments(path, root=root, classes=classes, form="hacs_clips", published=True)
    finder, negatives = MediaFinder(root), 0
    for line, row in rows:
        place = f"{path}:{line}"
        if len(row) != len(places):
            raise DataError(f"{place}: {len(row)} cells, but the header has {len(places)}")
        label, key, subset, start, end, shows = (row[places[name]].strip() for name in HACS_COLUMNS)
        if shows not in ("1", "-1"):
            raise DataError(f"{place}: label is 1 or -1, not {shows!r}")
        if subset != HACS_SUBSETS[part]:
            continue
        negatives += shows == "-1"
        if shows == "1":
            video_id = check_id(key, place)
            found = finder.find((f"v_{video_id}", video_id), folders=("", label))
            segments.add(
                found.name if found else f"v_{video_id}.mp4",
                [label],
                place=place,
                start=to_seconds(start, place),
                end=to_seconds(end, place),
                video_id=video_id,
            )
    if negatives:
        segments.notes.append(f"{negatives} clips that do not show their class are left out")
    return segments.result()


def is_thumos(path: Path, lines: Sequence[str]) -> bool:
    return THUMOS_FILE.fullmatch(path.name) is not None and all(map(THUMOS_LINE.fullmatch, lines))


def read_thumos(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> Result:
    """THUMOS'14 detection: `BaseballPitch_val.txt` and its sisters, lines of `video_validation_0000266  72.8 76.4`.

    `path` is any one of the files of a part, and all are read; those of `Ambiguous` are left out. The videos are
    root/video_validation_0000266 with any ending. Without `classes` they are the sorted names of the files.
    """
    own = THUMOS_FILE.fullmatch(path.name)
    if own is None:
        raise DataError(f"{path}: a file of THUMOS is called CLASS_val.txt or CLASS_test.txt")
    files = sorted(path.parent.glob(f"*_{own[2]}.txt"))
    segments = Segments(path, root=root, classes=classes, form="thumos", published=True)
    finder, unclear = MediaFinder(root), 0
    for file in files:
        label = file.name.removesuffix(f"_{own[2]}.txt")
        for line, text in numbered_lines(file):
            match = THUMOS_LINE.fullmatch(text)
            if match is None:
                raise DataError(f"{file}:{line}: a line is `video_validation_0000266  72.8 76.4`, not {text!r}")
            if label == "Ambiguous":
                unclear += 1
                continue
            name = _name(finder, match[1])
            start, end = float(match[2]), float(match[3])
            segments.add(name, [label], place=f"{file}:{line}", start=start, end=end, video_id=match[1])
    if unclear:
        segments.notes.append(f"{unclear} ambiguous parts are left out")
    return segments.result()


def _name(finder: MediaFinder, video_id: str) -> str:
    found = finder.find((video_id,))
    return found.name if found else f"{video_id}.mp4"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line]))]
