"""Lists in JSON: an object per video, in a list or one on each line, or one object from files to labels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidtok.data.classes import LabelReader
from vidtok.data.columns import OWN, table_columns
from vidtok.data.lines import numbered_lines
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.text.file import read_json


def read_objects(
    path: Path, *, root: Path, classes: Sequence[str] | None = None
) -> tuple[Records, tuple[str, ...] | None]:
    """`[{"video": "a.mp4", "label": "run"}, …]`, the same objects one on each line (JSON Lines), or `{"a.mp4": 3, …}`.

    The keys of the objects are those that a CSV's columns may have (`data/columns.py`). A label is a number or a name;
    several are a list. Raises DataError, which names file and line or entry.
    """
    reader, builder = LabelReader(classes, source=path), RecordsBuilder()
    for place, item in _entries(path):
        columns = table_columns(list(item), source=place)
        name, value = item[columns.path], item[columns.label]
        if not isinstance(name, str) or not name:
            raise DataError(f"{place}: {columns.path} is the path of a video, not {name!r}")
        labels = value if isinstance(value, list) else [] if value is None or value == "" else [value]
        start, end, fps = (_seconds(item, key, place) for key in OWN[1:])
        if start is not None and end is not None and end < start:
            raise DataError(f"{place}: the part ends at {end:g} s, before it begins at {start:g} s")
        if fps == 0:
            raise DataError(f"{place}: fps is above 0")
        video_id = item.get("video_id") if columns.video_id is not None else None
        builder.add(
            name,
            [reader.label(_text(label, place), line=place) for label in labels],
            video_id=None if video_id is None else str(video_id),
            start_seconds=start,
            end_seconds=end,
            fps=fps,
        )
    found = builder.columns(relabel=reader.relabel())
    if not len(found.label_ends):
        raise DataError(f"{path}: the list is empty")
    return Records.from_columns(found, root=root, source=path, form="json"), reader.names()


def is_json_lines(path: Path, first: Sequence[str]) -> bool:
    """Whether a list is JSON Lines, by its ending or its first line."""
    return path.suffix in (".jsonl", ".ndjson") or (bool(first) and first[0][:1] == "{" and first[0][-1:] == "}")


def is_table(content: object) -> bool:
    """Whether JSON is a list of objects with a path and a label, or an object from files to labels."""
    if isinstance(content, list):
        return bool(content) and all(isinstance(item, Mapping) for item in content)
    return isinstance(content, Mapping) and bool(content) and all(_is_label(value) for value in content.values())


def _is_label(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_label(each) and not isinstance(each, list) for each in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _entries(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each object with its place in words."""
    if path.suffix != ".json":
        for number, line in numbered_lines(path):
            try:
                item = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}:{number}: not valid JSON: {error}") from error
            yield f"{path}:{number}", _object(item, f"{path}:{number}")
        return
    content = read_json(path)
    if not is_table(content):
        raise DataError(
            f'{path}: a list in JSON is [{{"video": "a.mp4", "label": "run"}}, …], the same objects one on each line, '
            'or {"a.mp4": "run", …}'
        )
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield f"{path}: {name!r}", {"path": name, "label": value}
    elif isinstance(content, list):
        for place, item in enumerate(content):
            yield f"{path}: entry {place} (from 0)", _object(item, f"{path}: entry {place} (from 0)")


def _object(item: object, place: str) -> Mapping[str, object]:
    if not isinstance(item, Mapping):
        raise DataError(f'{place}: an object such as {{"video": "a.mp4", "label": "run"}}, not {item!r:.80}')
    return item


def _text(label: object, place: str) -> str:
    """A label as a table would write it."""
    if not _is_label(label) or isinstance(label, list):
        raise DataError(f"{place}: a label is a whole number from 0 on or a class's name, not {label!r:.80}")
    return str(label).strip()


def _seconds(item: Mapping[str, object], key: str, place: str) -> float | None:
    value = item.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise DataError(f"{place}: {key} is a number from 0 on, or null, not {value!r}")
    return float(value)
