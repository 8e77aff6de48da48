"""Class names: files of them, and the label that a name stands for."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.errors import DataError


def read_text(path: Path, *, what: str = "list") -> str:
    """A text file in UTF-8, without its byte-order mark, lines ended by a line feed alone."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error}); is it a {what}?") from error


def read_json(path: Path) -> object:
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error


def read_classes(path: str | Path) -> tuple[str, ...]:
    """One class name per line, in the order of the labels.

    Files of the data sets are understood too: names behind numbers, which count from 0 or 1 (UCF101's classInd.txt has
    `1 ApplyEyeMakeup`) or are codes (`c000 Holding some clothes`), and a JSON object from each name to its number.
    Raises DataError, which names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path}: no such class file (data.classes); write one class name per line, in the order of the labels"
        )
    if path.suffix == ".json":
        return _numbered_json(path)
    names = [line.strip() for line in read_text(path, what="class file").split("\n")]
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{path}:{number}: an empty line; every line is the name of one class")
    names = _without_numbers(names)
    lines: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if lines.setdefault(name, number) != number:
            raise DataError(f"{path}:{number}: the class {name!r} stands on line {lines[name]} already")
    if not names:
        raise DataError(f"{path}: no class names; write one per line")
    return tuple(names)


def _without_numbers(lines: list[str]) -> list[str]:
    """Names without the numbers before them, where every line has one and they are in order."""
    matches = [re.fullmatch(r"c?(\d+)\s+(\S.*)", line) for line in lines]
    found = [match for match in matches if match is not None]
    numbers = [int(match[1]) for match in found]
    if len(found) == len(lines) > 1 and numbers == list(range(numbers[0], numbers[0] + len(lines))) and numbers[0] < 2:
        return [match[2] for match in found]
    return lines


def _numbered_json(path: Path) -> tuple[str, ...]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: a class file in JSON is an object from each class name to its number, counted from 0")
    try:
        numbers = {int(number): name.strip('"') for name, number in content.items()}
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: class numbers are whole numbers: {error}") from error
    if sorted(numbers) != list(range(len(content))):
        raise DataError(f"{path}: {len(content)} names need the numbers 0 to {len(content) - 1}, each of them once")
    return tuple(numbers[i] for i in range(len(content)))


class ClassIndex:
    """From a class's name to its label. Where no classes are given, the names that come up, sorted, are the classes."""

    def __init__(self, classes: Sequence[str] | None, *, source: Path):
        self.given = tuple(classes) if classes is not None else None
        self.source = source
        self._labels = {name: label for label, name in enumerate(classes or ())}

    def label(self, name: str, *, line: int | None = None) -> int:
        """The label of a name; without given classes a provisional one, which `relabel` makes final."""
        label = self._labels.get(name)
        if label is not None:
            return label
        if self.given is None:
            return self._labels.setdefault(name, len(self._labels))
        near = difflib.get_close_matches(name, self.given, n=1)
        raise DataError(
            f"{self.source}{'' if line is None else f':{line}'}: {name!r} is none of the {len(self.given)} classes "
            + (f"(the nearest: {near[0]!r})" if near else f"({', '.join(self.given[:4])} …)")
            + "; is the class file the right one?"
        )

    def __contains__(self, name: str) -> bool:
        return name in self._labels

    def names(self) -> tuple[str, ...] | None:
        """The classes: those given, or the sorted names; None where there was no name."""
        return self.given if self.given is not None else tuple(sorted(self._labels)) or None

    def relabel(self) -> list[int] | None:
        """The final label of each provisional one."""
        if self.given is not None or not self._labels:
            return None
        places = {name: place for place, name in enumerate(sorted(self._labels))}
        return [places[name] for name in self._labels]
