"""The label that a class's name, or a number in a list, stands for."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.errors import DataError
from vidtok.text.classes import class_order, is_number, same_text
from vidtok.text.file import check_utf8


class ClassIndex:
    """From a class's name, or a number, to its label.

    Where no classes are given, the names that come up are the classes, in the order of `class_order`. Numbers are
    labels, but where given names are whole numbers other than 0, 1, 2 … in order: then a number is a name.
    """

    def __init__(self, classes: Sequence[str] | None, *, source: Path):
        self.given = tuple(classes) if classes is not None else None
        self.source = source
        self._labels = {name: label for label, name in enumerate(classes or ())}
        self._same = {same_text(name): label for name, label in self._labels.items()}
        numbers = {label: int(name) for name, label in self._labels.items() if is_number(name)}
        self.numbers_are_names = bool(numbers) and any(label != number for label, number in numbers.items())
        self._numbers: dict[int, list[int]] = {}
        for label, number in numbers.items() if self.numbers_are_names else ():
            self._numbers.setdefault(number, []).append(label)
        self._only_numbers = len(numbers) == len(self._labels)

    def label(self, name: str, *, line: int | str | None = None) -> int:
        """The label of a name; without given classes a provisional one, which `relabel` makes final.

        Raises DataError, which names the nearest class, for a name that is none of those given.
        """
        label = self._labels.get(name)
        if label is not None:
            return label
        if self.given is None:
            check_utf8(name, source=self.place(line))
            return self._labels.setdefault(name, len(self._labels))
        label = self._same.get(same_text(name))
        if label is not None:
            return label
        near = difflib.get_close_matches(name, self.given, n=1)
        raise DataError(
            f"{self.place(line)}: {name!r} is none of the {len(self.given)} classes "
            + (f"(the nearest: {near[0]!r})" if near else f"({', '.join(self.given[:4])} …)")
            + "; is the class file the right one?"
        )

    def number(self, number: int, *, line: int | str | None = None) -> int:
        """The label that a whole number in the list means; DataError where it means none, or may mean two."""
        if not self.numbers_are_names:
            return number
        places, names = self._numbers.get(number, []), self.given or ()
        if places == [number] or (not places and not self._only_numbers):
            return number
        if len(places) == 1 and (self._only_numbers or number >= len(names)):
            return places[0]
        if not places:
            raise DataError(
                f"{self.place(line)}: {number} is none of the {len(names)} classes, whose names are numbers "
                f"({', '.join(names[:4])} …), so that a number in the list is taken for a name"
            )
        may = [f"the class {names[place]!r}" for place in places]
        if not self._only_numbers:
            may.append(f"the label {number}, which is {names[number]!r}")
        raise DataError(f"{self.place(line)}: {number} may be {', or '.join(may)}; write the names of the classes")

    def __contains__(self, name: str) -> bool:
        return name in self._labels or same_text(name) in self._same

    def names(self) -> tuple[str, ...] | None:
        """The classes: those given, or the names in order; None where there was no name."""
        return self.given if self.given is not None else class_order(self._labels) or None

    def relabel(self) -> list[int] | None:
        """The final label of each provisional one."""
        if self.given is not None or not self._labels:
            return None
        places = {name: place for place, name in enumerate(class_order(self._labels))}
        return [places[name] for name in self._labels]

    def place(self, line: int | str | None) -> str:
        """The list, and the line where there is one, as messages begin."""
        if isinstance(line, str):
            return line
        return str(self.source) if line is None else f"{self.source}:{line}"


class LabelReader:
    """Labels as lists write them in text: whole numbers (`2`, or `2.0`, as tables have it) or names of classes."""

    def __init__(self, classes: Sequence[str] | None, *, source: Path):
        self._index = ClassIndex(classes, source=source)
        self._numbers = False

    def is_name(self, text: str) -> bool:
        """Whether a text is, as a whole, the name of a given class, and no number."""
        return self._index.given is not None and text in self._index and not is_number(text)

    def label(self, text: str, *, line: int | str | None = None) -> int:
        """The label that a text stands for, provisional where it is a name and no classes are given.

        `line` is the number of the line, or the place in words. Raises DataError for other numbers, and for numbers
        beside names.
        """
        if self.is_name(text):
            return self._index.label(text)
        if match := re.fullmatch(r"(\d+)(?:\.0*)?", text, re.ASCII):
            self._numbers = True
            label = self._index.number(int(match[1]), line=line)
        elif re.fullmatch(r"[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?|nan", text):
            raise DataError(
                f"{self._index.place(line)}: a label is a whole number from 0 on or a class's name, not {text!r}"
            )
        else:
            label = self._index.label(text, line=line)
        if self._numbers and self._index.given is None and self._index.names():
            raise DataError(
                f"{self._index.place(line)}: numbers and names as labels in one list; names then need a class file"
            )
        return label

    def names(self) -> tuple[str, ...] | None:
        """The classes: those given, or the names in order; None where the list wrote numbers."""
        return self._index.names()

    def relabel(self) -> list[int] | None:
        """The final label of each provisional one."""
        return None if self._numbers else self._index.relabel()
