"""Lists of trimmed clips: Moments in Time and Diving48."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from vidtok.data.formats.disk import MediaFinder
from vidtok.data.formats.segments import Result, Segments, check_id
from vidtok.data.lines import numbered_lines
from vidtok.errors import DataError
from vidtok.text.file import read_json
from vidtok.video.endings import is_media_name


def is_moments(lines: Sequence[str]) -> bool:
    """`class/file.mp4,class,agreed,disagreed`: the class is the folder."""
    return bool(lines) and all(_moment(line) is not None for line in lines)


def _moment(line: str) -> tuple[str, str] | None:
    cells = [cell.strip() for cell in next(csv.reader([line]))]
    if len(cells) != 4 or not (cells[2].isdecimal() and cells[3].isdecimal()):
        return None
    folder, _, file = cells[0].rpartition("/")
    return (cells[0], cells[1]) if folder == cells[1] and is_media_name(file) else None


def read_moments(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> Result:
    """Moments in Time's `trainingSet.csv` and `validationSet.csv`: path, class, how many agreed, and disagreed.

    A video is as written below root, root/training or root/validation. Without `classes` they are the names, sorted.
    """
    segments, finder = Segments(path, root=root, classes=classes, form="moments"), MediaFinder(root)
    for line, text in numbered_lines(path):
        moment = _moment(text)
        if moment is None:
            raise DataError(f"{path}:{line}: a line is `class/file.mp4,class,3,1`, not {text!r}")
        name, label = moment
        folder = check_id(label, f"{path}:{line}")
        found = finder.find((Path(name).stem,), folders=(folder, f"training/{folder}", f"validation/{folder}"))
        segments.add(found.name if found else name, [label], place=f"{path}:{line}")
    return segments.result()


def is_diving48(content: object) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(item, Mapping) and {"vid_name", "start_frame", "end_frame"} <= set(item) for item in content)
    )


def read_diving48(path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float | None = None) -> Result:
    """`Diving48_V2_train.json`: [{"vid_name": "8hIfRbtP7Bg_00001", "label": 33, "start_frame": 0, "end_frame": 9}, …].

    The clips are cut, and frame 0 is the first of a file: such an entry is the whole of it. One that begins later is a
    part, for which the rate is needed, `fps`. Names come from `Diving48_vocab.json` beside the list. A video is
    root/NAME or root/rgb/NAME with any ending.
    """
    content = read_json(path)
    if not isinstance(content, list) or not is_diving48(content):
        raise DataError(f"{path}: Diving48 has objects with vid_name, label, start_frame and end_frame")
    segments, finder = Segments(path, root=root, classes=classes, form="diving48", published=True), MediaFinder(root)
    for row, item in enumerate(content):
        place = f"{path}: entry {row} (from 0)"
        name, label = check_id(item["vid_name"], place), item.get("label")
        first, last = item["start_frame"], item["end_frame"]
        if not all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in (label, first, last)):
            raise DataError(f"{place}: label, start_frame and end_frame are whole numbers from 0 on")
        if first and fps is None:
            raise DataError(f"{place}: begins at frame {first}: say at which rate frames were counted, `fps`")
        found = finder.find((name,), folders=("", "rgb"))
        segments.add(
            found.name if found else f"rgb/{name}.mp4",
            [label],
            place=place,
            start=first / fps if first and fps else None,
            end=last / fps if first and fps else None,
            video_id=name,
        )
    names = tuple(classes) if classes is not None else _vocabulary(path.parent / "Diving48_vocab.json")
    return segments.result(names=names)


def _vocabulary(path: Path) -> tuple[str, ...] | None:
    """Dives in words, `Back 15som 05Twis FREE`, by their labels; None where the file is not there."""
    if not path.is_file():
        return None
    dives = read_json(path)
    if not isinstance(dives, list) or not all(isinstance(dive, list) for dive in dives):
        raise DataError(
            f'{path}: a list of dives, each of them a list of words: [["Back", "15som", "05Twis", "FREE"], …]'
        )
    return tuple(" ".join(map(str, dive)) for dive in dives)
