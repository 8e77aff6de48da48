"""Lists of `path label` lines, as pytorchvideo, PySlowFast, mmaction2, VideoMAE and V-JEPA read them."""

import re
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError

SEPARATORS = {
    "\t": r"\t",
    ",": r"[ ]*,[ ]*",
    ";": r"[ ]*;[ ]*",
    "::": r"[ ]*::[ ]*",
    " ": r"[ \t]+",
}
RAW_FPS = 25.0


def numbered_lines(path: Path) -> Generator[tuple[int, str], None, None]:
    """Number and text of every line that is not blank."""
    with open(path, encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, start=1):
                if line := line.strip():
                    yield number, line
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not a text file in UTF-8 ({error})") from error


def first_lines(path: Path, *, most: int = 100) -> list[str]:
    with closing(numbered_lines(path)) as lines:
        return [line for _, line in islice(lines, most)]


def read_paths(path: Path, *, root: Path) -> Records:
    """`path label…`: all whole numbers at the end of a line are labels.

        abseiling/k3 -_x.mp4 0
        "air drumming"/a.mp4 1 17

    The separator (tab, comma, semicolon, `::` or space) is found by itself; a path may hold spaces and stand in double
    quotes.
    """

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        builder.add(name, numbers)

    builder = RecordsBuilder()
    _each_line(path, take, "`path label`")
    return Records.from_columns(builder.columns(), root=root, source=path, form="paths")


def read_pyslowfast(path: Path, *, root: Path) -> Records:
    """PySlowFast's `path label` or `path,frames,label`; the number of frames is not needed."""

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        if len(numbers) > 2:
            raise DataError(f"{path}:{line}: {len(numbers)} numbers; write `path label` or `path frames label`")
        builder.add(name, numbers[-1:])

    builder = RecordsBuilder()
    _each_line(path, take, "`path label`, or `path frames label`")
    return Records.from_columns(builder.columns(), root=root, source=path, form="pyslowfast")


def read_rawframes(path: Path, *, root: Path, fps: float = RAW_FPS, template: str | None = None) -> Records:
    """mmaction2's `folder frames label…`: folders of pictures, the first `frames` of each.

    Pictures have no times; they are taken to be shown at `fps`. `template` (`img_{:05}.jpg`) says which files of a
    folder are meant, where others lie beside them.
    """

    def take(name: str, numbers: tuple[int, ...], line: int) -> None:
        _check_count(numbers, 2, "`folder frames label`", path, line)
        builder.add(_pattern(name, template), numbers[1:], video_id=name, end_seconds=numbers[0] / fps, fps=fps)

    builder = RecordsBuilder()
    _each_line(path, take, "`folder frames label`")
    return Records.from_columns(builder.columns(), root=root, source=path, form="rawframes")


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
    _each_line(path, take, "`folder start frames label`")
    return Records.from_columns(builder.columns(), root=root, source=path, form="rawframes_offset")


def _check_count(numbers: tuple[int, ...], least: int, form: str, path: Path, line: int) -> None:
    if len(numbers) < least:
        raise DataError(f"{path}:{line}: {len(numbers)} whole numbers at the end of the line; write {form}")


def _pattern(folder: str, template: str | None) -> str:
    """`dir` and `img_{:05}.jpg` to `dir/img_*.jpg`."""
    return folder if template is None else f"{folder.rstrip('/')}/{re.sub(r'{[^}]*}', '*', template)}"


def _each_line(path: Path, take: Callable[[str, tuple[int, ...], int], None], form: str) -> None:
    """Hand the path, the whole numbers behind it, and the line's number of every line to `take`."""
    first = first_lines(path)
    if not first:
        raise DataError(f"{path}: the list is empty; it needs one {form} line per video")
    separator = _separator(first)
    pattern, number = _line_pattern(separator), re.compile(r"-?\d+")
    for line_number, line in numbered_lines(path):
        # Most lines are plain, and a regular expression for each of 650,000 takes seconds.
        name, _, tail = line.rpartition(separator)
        if tail.isdecimal() and name[-1:] not in ('"', " ", "\t", "") and not _last(name, separator).isdecimal():
            take(name, (int(tail),), line_number)
            continue
        match = pattern.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{line_number}: no whole number as a label at the end of {line!r}; write {form}")
        name = match["path"]
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1]
        numbers = tuple(map(int, number.findall(match["labels"])))
        if min(numbers) < 0:
            raise DataError(f"{path}:{line_number}: label {min(numbers)} is negative; labels count from 0")
        take(name, numbers, line_number)


def _last(name: str, separator: str) -> str:
    return name.rpartition(separator)[2]


def _line_pattern(separator: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<path>.+?)(?P<labels>(?:{SEPARATORS[separator]}-?\d+)+)")


def _separator(lines: list[str]) -> str:
    """The first separator that all of these lines understand, or the commonest, so that the odd line is named."""
    return max(SEPARATORS, key=lambda each: sum(_line_pattern(each).fullmatch(line) is not None for line in lines))
