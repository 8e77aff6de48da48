"""Classes for the clips of a folder, kept as the list that `vidtok fit` reads."""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidtok.errors import ConfigError, DataError
from vidtok.text.console import printable

COLUMNS = ["path", "label"]
MOST_CLASSES = 9
"""As many as there are keys for them."""
CLASS = re.compile(r"[^\W\d_][\w .+-]{0,39}")


class LabelSet:
    """The clips of a folder and the classes that they have been given; every change is on the disk when it returns.

    `names`: of the clips, below the folder. `file`: a CSV of `path` and `label`; one that is there is gone on with, and
    its rows of other clips are kept. Raises DataError for a file that this did not write, ConfigError for class names
    that cannot be.
    """

    def __init__(self, folder: Path, names: Sequence[str], file: Path, *, classes: Sequence[str] = ()):
        self.folder, self.names, self.file = folder, list(names), file
        self._labels = read_rows(file) if file.exists() else {}
        self.classes: list[str] = []
        self.set_classes(list(dict.fromkeys([*classes, *self._labels.values()])))

    @property
    def used(self) -> list[str]:
        """Classes that clips have been given, as `fit` will order them."""
        return sorted(set(self._labels.values()))

    def label(self, clip: int) -> str | None:
        return self._labels.get(self.names[clip])

    def put(self, clip: int, label: str | None) -> None:
        """Give clip number `clip` a class, or none. DataError for one that is not there."""
        if not 0 <= clip < len(self.names):
            raise DataError(f"there is no clip {clip}; they count from 0 to {len(self.names) - 1}")
        if label is not None and label not in self.classes:
            raise DataError(f"there is no class {label!r}; there are: {', '.join(self.classes)}")
        labels = {name: kept for name, kept in self._labels.items() if name != self.names[clip]}
        if label is not None:
            labels[self.names[clip]] = label
        self._write(labels)
        self._labels = labels

    def set_classes(self, classes: Sequence[str]) -> None:
        """The classes and their order, by which their keys go. ConfigError for what cannot be one."""
        for name in classes:
            if not CLASS.fullmatch(name) or name != name.strip():
                raise ConfigError(
                    f"{printable(name)!r} is no name of a class: a letter first, then letters, digits, spaces and "
                    ". _ + -, 40 at most"
                )
        if len(set(classes)) < len(classes):
            raise ConfigError(f"two classes have one name: {', '.join(classes)}")
        if len(classes) > MOST_CLASSES:
            raise ConfigError(f"{len(classes)} classes, and there are keys for {MOST_CLASSES}")
        if gone := sorted(set(self._labels.values()) - set(classes)):
            raise ConfigError(f"clips have been given the class {gone[0]!r} already: give them another one first")
        self.classes = list(classes)

    def told(self) -> dict[str, Any]:
        """For JSON: every clip with its class, and how many clips of each there are."""
        counted = Counter(self.label(clip) for clip in range(len(self.names)))
        return {
            "folder": printable(str(self.folder)),
            "file": printable(str(self.file)),
            "classes": [{"name": name, "clips": counted[name]} for name in self.classes],
            "clips": [{"name": printable(name), "label": self.label(clip)} for clip, name in enumerate(self.names)],
        }

    def _write(self, labels: dict[str, str]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(labels.items()))
        aside = self.file.with_name(f".{self.file.name}.{os.getpid()}.part")
        try:
            with open(aside, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.file)
        except OSError as error:
            raise DataError(f"{self.file}: cannot be written ({error.strerror})") from error
        finally:
            aside.unlink(missing_ok=True)


def read_rows(file: Path) -> dict[str, str]:
    """Path and class of each row. DataError, which names the line, for another kind of list, or a clip with two."""
    with open(file, encoding="utf-8", errors="surrogateescape", newline="") as text:
        rows = list(csv.reader(text))
    if not rows or rows[0] != COLUMNS:
        raise DataError(f"{file}:1: is not a list of this page ({','.join(COLUMNS)}); name another one with --list")
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            raise DataError(f"{file}:{number}: {len(row)} cells, expected a path and a class")
        name, label = row
        if found.setdefault(name, label) != label:
            raise DataError(f"{file}:{number}: {printable(name)} is {label!r}, and {found[name]!r} above: leave one")
    return found
