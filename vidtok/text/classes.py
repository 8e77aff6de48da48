"""Class names: the files that hold them, in every form of the field, and their order."""

import csv
import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from vidtok.errors import DataError
from vidtok.text.file import check_utf8, read_json, read_text

NUMBER_FIRST = re.compile(r"c?(\d+)(\s*[,;:\t]\s*|\s+)(\S.*)")
NUMBER_LAST = re.compile(r"(.*?\S)(\s*[,;:\t]\s*|\s+)(\d+)")
NAME_WORDS = {"name", "class", "classes", "classname", "label", "labels", "labelname", "category"}
NUMBER_WORDS = {"id", "index", "idx", "number", "classid", "labelid", "classindex", "labelindex", "classidx"}


def read_classes(path: str | Path) -> tuple[str, ...]:
    """The class names of a file, in the order of their labels.

        one name per line        bend
        number and name          0,bend    1 ApplyEyeMakeup    c000 Holding some clothes    bend,0
        the same below a header  id,name
        JSON                     ["bend", …]   {"bend": 0, …}   {"0": "bend", …}   {"id2label": {"0": "bend", …}, …}

    Comma, semicolon, colon, tab or space stand between number and name. Numbers count from 0, on lines from 1 too, and
    each is there once, in any order. Raises DataError, which names file and line, for everything else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such class file; write one class name per line, in the order of the labels")
    text = read_text(path, what="class file")
    if path.suffix == ".json":
        names = _of_json(read_json(path), path)
    elif (content := _json_inside(text)) is not None:
        names = _of_json(content, path)
    else:
        names = _of_lines(text, path)
    if not names:
        raise DataError(f"{path}: no class names; write one per line")
    return names


def class_order(names: Collection[str]) -> tuple[str, ...]:
    """The order of classes that nothing else gives: that of the names, and where all are whole numbers, of these."""
    numbers = all(is_number(name) for name in names)
    return tuple(sorted(names, key=lambda name: (int(name), name) if numbers else (0, name)))


def is_number(name: str) -> bool:
    """Whether a name is a whole number from 0 on."""
    return name.isascii() and name.isdecimal()


def same_text(name: str) -> str:
    """One form (NFC) of a text that looks the same in several: `é` is one character, or an e and an accent."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def check_names(names: Sequence[str], *, source: str, word: str = "name", first: int = 0) -> None:
    """DataError for an empty class name, one that is not UTF-8, and one that is there already.

    The place of a name is said as `word` and its number, which counts from `first`.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names, start=first):
        where = f"{source}:{place}" if word == "line" else f"{source}: {word} {place}"
        if not name.strip():
            raise DataError(f"{where}: an empty class name")
        check_utf8(name, source=where)
        if (before := places.setdefault(same_text(name), place)) != place:
            raise DataError(f"{where}: the class {name!r} stands on {word} {before} already")


def _of_lines(text: str, path: Path) -> tuple[str, ...]:
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if not line:
            raise DataError(f"{path}:{number}: an empty line; every line is the name of one class")
        if line.startswith("#"):
            raise DataError(
                f"{path}:{number}: {line!r} is a comment or a class? Remove the line, or write the file in JSON, "
                '["first name", …]'
            )
    header = _header(lines, path)
    names = _numbered(lines[header:], path, first=header + 1)
    if names is None and header:
        raise DataError(f"{path}:2: no number and name in {lines[1]!r}, as the header {lines[0]!r} says")
    if names is None:
        names = tuple(_unquoted(line) for line in lines[header:])
        check_names(names, source=str(path), word="line", first=header + 1)
    return names


def _header(lines: Sequence[str], path: Path) -> int:
    """How many lines the header has: 1 or 0. DataError for one that may be a class, or has other columns."""
    cells = [re.sub(r"[\W_]", "", cell).lower() for cell in re.split(r"[,;:\t]", lines[0])] if len(lines) > 1 else []
    numbered = bool(NUMBER_WORDS.intersection(cells))
    if not NAME_WORDS.intersection(cells) or not (numbered or NAME_WORDS.issuperset(cells)):
        return 0
    if len(cells) != 2:
        raise DataError(
            f"{path}:1: {lines[0]!r}: a header or a class? Remove a header of one column; write the file in JSON, "
            '["first name", …], if it is a class; and leave nothing but number and name where there are more columns'
        )
    return 1


def _numbered(lines: Sequence[str], path: Path, *, first: int) -> tuple[str, ...] | None:
    """Names with a number before or behind each of them, by number; None where it is not so."""
    for pattern, at_number, at_name in ((NUMBER_FIRST, 1, 3), (NUMBER_LAST, 3, 1)):
        matches = [pattern.fullmatch(line) for line in lines]
        found = [match for match in matches if match is not None]
        marked = [match for match in found if match[2].strip(" ") or "\t" in match[2]]
        if len(lines) / 2 < len(marked) < len(lines) and len(found) < len(lines):
            odd = matches.index(None)
            raise DataError(f"{path}:{first + odd}: no number and name, as on other lines, in {lines[odd]!r}")
        if not found or len(found) < len(lines) or (len(lines) == 1 and not marked):
            continue
        numbers = [int(match[at_number]) for match in found]
        names = [_unquoted(match[at_name]) for match in found]
        start = min(numbers)
        if start < 2 and sorted(numbers) == list(range(start, start + len(numbers))):
            if marked or pattern is NUMBER_FIRST:
                check_names(names, source=str(path), word="line", first=first)
                return tuple(name for _, name in sorted(zip(numbers, names, strict=True)))
            if len(set(names)) == len(names):
                raise DataError(
                    f"{path}:{first}: {lines[0]!r}: is the number a part of the name? Write `bend,0` where it is "
                    'the label, and the file in JSON, ["name 0", …], where it is not'
                )
        elif len(marked) == len(lines):
            raise DataError(
                f"{path}: {len(lines)} names need the numbers 0 to {len(lines) - 1}, or 1 to {len(lines)}, each of "
                f"them once; these are {', '.join(map(str, numbers[:6]))}{' …' if len(numbers) > 6 else ''}"
            )
    return None


def _unquoted(name: str) -> str:
    """A name out of its quotation marks, which CSV writers put around those that hold a comma."""
    return next(csv.reader([name]))[0] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _json_inside(text: str) -> object | None:
    """The JSON of a file that is not called so; None for lines of names, one of which may begin with a bracket."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _of_json(content: object, path: Path) -> tuple[str, ...]:
    if isinstance(content, Mapping):
        for key in ("id2label", "label2id"):
            if isinstance(content.get(key), Mapping):
                return _of_mapping(content[key], path)
        return _of_mapping(content, path)
    if not isinstance(content, list) or not content or not all(isinstance(name, str) for name in content):
        raise DataError(
            f"{path}: a class file in JSON is a list of names, an object from each class name to its number, counted "
            'from 0, or from each number to its name, such as {"0": "bend"} or {"id2label": {"0": "bend"}}'
        )
    check_names(content, source=str(path))
    return tuple(content)


def _of_mapping(content: Mapping[str, object], path: Path) -> tuple[str, ...]:
    readings = []
    for pairs in (content.items(), [(value, key) for key, value in content.items()]):
        numbers = [_whole(number) for number, _ in pairs]
        names = [name.strip('"') for _, name in pairs if isinstance(name, str)]
        if len(names) == len(content) and None not in numbers:
            readings.append({number: name for number, name in zip(numbers, names, strict=True) if number is not None})
    if not readings:
        raise DataError(
            f"{path}: class numbers are whole numbers: this is an object neither from each class name to its number, "
            "counted from 0, nor from each number to its name"
        )
    fitting = [reading for reading in readings if sorted(reading) == list(range(len(content)))]
    if not content or not fitting:
        raise DataError(f"{path}: {len(content)} names need the numbers 0 to {len(content) - 1}, each of them once")
    if any(reading != fitting[0] for reading in fitting):
        raise DataError(f"{path}: which are the numbers and which the names? Write a list of names, in their order")
    names = tuple(fitting[0][place] for place in range(len(content)))
    check_names(names, source=str(path))
    return names


def _whole(value: object) -> int | None:
    if isinstance(value, str) and is_number(value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
