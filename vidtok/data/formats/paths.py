"""Lists of `path label` lines, as pytorchvideo, PySlowFast, mmaction2, VideoMAE and V-JEPA read them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from vidtok.data.formats.named import read_named
from vidtok.data.lines import comment_notes, first_lines, is_comment, numbered_lines, unquoted
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.video.endings import MEDIA_ENDING, is_media_name

SEPARATORS = {
    "\t": r"\t",
    ",": r"[ ]*,[ ]*",
    ";": r"[ ]*;[ ]*",
    "::": r"[ ]*::[ ]*",
    " ": r"[ \t]+",
}
RAW_FPS = 25.0
NUMBER = r"-?\d+(?:\.0*)?"
CUT = re.compile(rf"{MEDIA_ENDING}\"?(?:\s*[,;\t]|\s*::| )", re.IGNORECASE)
"""The end of a video's name and what stands between it and a label."""


def read_paths(
    path: Path, *, root: Path, classes: Sequence[str] | None = None
) -> tuple[Records, tuple[str, ...] | None]:
    """`path label…`: all whole numbers at the end of a line are labels; or `path class`, the class by its name.

        abseiling/k3 -_x.mp4 0
        "air drumming"/a.mp4 1 17
        a b.mp4 air drumming

    The separator (tab, comma, semicolon, `::` or space) is found by itself; a path may hold spaces and stand in double
    quotes. Lines that begin with `#` are comments, unless a file is called so.
    """
    first = first_lines(path)
    if first and not any(is_numbered(line, separator, root) for line in first for separator in SEPARATORS):
        if all((len(line.split()) == 1 and not re.search(r"[,;]|::", line)) or is_media_name(line) for line in first):
            raise DataError(
                f"{path}: a list of videos without labels; to train and to test, every line needs one, `path label`"
            )
        return read_named(path, root=root, classes=classes)

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        builder.add(name, numbers)

    builder = RecordsBuilder()
    notes = _each_line(path, take, "`path label`", root)
    return Records.from_columns(builder.columns(), root=root, source=path, form="paths", notes=notes), None


def read_pyslowfast(path: Path, *, root: Path) -> Records:
    """PySlowFast's `path label` or `path,frames,label`; the number of frames is not needed."""

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        if len(numbers) > 2:
            raise DataError(f"{path}:{line}: {len(numbers)} numbers; write `path label` or `path frames label`")
        builder.add(name, numbers[-1:])

    builder = RecordsBuilder()
    notes = _each_line(path, take, "`path label`, or `path frames label`", root)
    return Records.from_columns(builder.columns(), root=root, source=path, form="pyslowfast", notes=notes)


def read_rawframes(path: Path, *, root: Path, fps: float = RAW_FPS, template: str | None = None) -> Records:
    """mmaction2's `folder frames label…`: folders of pictures, the first `frames` of each.

    Pictures have no times; they are taken to be shown at `fps`. `template` (`img_{:05}.jpg`) says which files of a
    folder are meant, where others lie beside them.
    """

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        _check_count(numbers, 2, "`folder frames label`", path, line)
        builder.add(_pattern(name, template), numbers[1:], video_id=name, end_seconds=numbers[0] / fps, fps=fps)

    builder = RecordsBuilder()
    notes = _each_line(path, take, "`folder frames label`", root)
    return Records.from_columns(builder.columns(), root=root, source=path, form="rawframes", notes=notes)


def read_rawframes_offset(path: Path, *, root: Path, fps: float = RAW_FPS, template: str | None = None) -> Records:
    """mmaction2's `folder start frames label…`: `frames` pictures of each folder from `start` on, counted from 0."""

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        _check_count(numbers, 3, "`folder start frames label`", path, line)
        start, frames, *labels = numbers
        builder.add(
            _pattern(name, template),
            labels,
            video_id=name,
            start_seconds=start / fps,
            end_seconds=(start + frames) / fps,
            fps=fps,
        )

    builder = RecordsBuilder()
    notes = _each_line(path, take, "`folder start frames label`", root)
    return Records.from_columns(builder.columns(), root=root, source=path, form="rawframes_offset", notes=notes)


def _check_count(numbers: tuple[int, ...], least: int, form: str, path: Path, line: int) -> None:
    if len(numbers) < least:
        raise DataError(f"{path}:{line}: {len(numbers)} whole numbers at the end of the line; write {form}")


def _pattern(folder: str, template: str | None) -> str:
    """`dir` and `img_{:05}.jpg` to `dir/img_*.jpg`."""
    return folder if template is None else f"{folder.rstrip('/')}/{re.sub(r'{[^}]*}', '*', template)}"


def is_numbered(line: str, separator: str, root: Path) -> bool:
    """Whether whole numbers stand at the end of a line, behind nothing but a path."""
    match = _line_pattern(separator).fullmatch(line)
    return match is not None and _is_path(unquoted(match["path"]), root)


def _is_path(name: str, root: Path) -> bool:
    """`a.mp4 wave` of `a.mp4 wave 2` is none: the class is called `wave 2`."""
    return CUT.search(name) is None or is_media_name(name) or (root / name).exists()


def _each_line(path: Path, take: Callable[[str, tuple[int, ...], int], None], form: str, root: Path) -> list[str]:
    """Hand the path, the whole numbers behind it, and the line's number of every line to `take`; notes on the list."""
    first = first_lines(path)
    if not first:
        raise DataError(f"{path}: the list is empty; it needs one {form} line per video")
    separator = _separator(first, root)
    pattern, number, comments = _line_pattern(separator), re.compile(NUMBER), 0
    paths = [match["path"] for line in first if (match := pattern.fullmatch(line))]
    ending = next((Path(name).suffix for name in paths if is_media_name(name)), "\n")
    for line_number, line in numbered_lines(path):
        # Most lines are plain, and a regular expression for each of 650,000 takes seconds.
        name, _, tail = line.rpartition(separator)
        if tail.isdecimal() and line[0] != "#":
            if name.endswith(ending) or (
                "." not in name
                and name[-1:] not in ('"', " ", "\t", "")
                and not name.rpartition(separator)[2].isdecimal()
            ):
                take(name, (int(tail),), line_number)
                continue
        elif line[0] == "#" and is_comment(line, root):
            comments += 1
            continue
        match = pattern.fullmatch(line)
        if match is None or not _is_path(unquoted(match["path"]), root):
            raise DataError(f"{path}:{line_number}: no whole number as a label at the end of {line!r}; write {form}")
        name = unquoted(match["path"])
        numbers = tuple(int(each.partition(".")[0]) for each in number.findall(match["labels"]))
        if min(numbers) < 0:
            raise DataError(f"{path}:{line_number}: label {min(numbers)} is negative; labels count from 0")
        take(name, numbers, line_number)
    return comment_notes(comments)


def _line_pattern(separator: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<path>.+?)(?P<labels>(?:{SEPARATORS[separator]}{NUMBER})+)")


def _separator(lines: list[str], root: Path) -> str:
    """The first separator that all of these lines understand, or the commonest, so that the odd line is named."""
    return max(SEPARATORS, key=lambda each: sum(is_numbered(line, each, root) for line in lines))
