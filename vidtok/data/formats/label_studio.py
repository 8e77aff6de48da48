"""Label Studio's JSON: choices label a video, timeline labels and labels of its sound label parts of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import parse_qs, unquote, urlsplit

from vidtok.data.formats.segments import FrameTimes, Result, Segments, is_seconds, name_below
from vidtok.errors import DataError
from vidtok.text.file import read_json
from vidtok.video.endings import is_media_name

Part = tuple[tuple[str, ...], float | None, float | None]
"""Labels, start and end in seconds."""


def read_label_studio(
    path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float | None = None
) -> Result:
    """The export called JSON: tasks with `data` and `annotations`; predictions of models do not count.

        {"type": "choices", "value": {"choices": ["jump"]}}                                             the whole video
        {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 30}], "timelinelabels": ["jump"]}}   frames
        {"type": "labels", "value": {"start": 1.5, "end": 2.25, "labels": ["jump"]}}         seconds, by a tag for sound

    Timeline labels count frames from 1 to the last one that belongs to them, at the `frameRate` of the labelling
    configuration (24 where it says nothing), which the export does not repeat: `fps` says it. A video is looked for
    below the root by the name that it was brought in with.
    """
    content = read_json(path)
    if not is_label_studio(content):
        raise DataError(f"{path}: no export of Label Studio: a list of tasks with data and annotations (its JSON)")
    segments, times = Segments(path, root=root, classes=classes, form="label_studio"), FrameTimes(root, fps=fps)
    unlabelled, others = 0, 0
    for row, task in enumerate(content):
        place = f"{path}: task {task.get('id', f'number {row} (from 0)')}"
        name, found = _video(task["data"], root, place), []
        done = [each for each in task["annotations"] if not (isinstance(each, Mapping) and each.get("was_cancelled"))]
        for annotation in done:
            results = annotation.get("result") if isinstance(annotation, Mapping) else None
            if not isinstance(results, list):
                raise DataError(f"{place}: an annotation has no list `result`")
            parts = [part for each in results for part in _parts(each, times, place)]
            others += len(results) - sum(_kind(each) in READERS for each in results)
            found.append(sorted(set(parts), key=lambda part: (part[1] or 0.0, part[2] or 0.0, part[0])))
        if len(found) > 1 and any(each != found[0] for each in found):
            raise DataError(f"{place}: has {len(found)} annotations that differ; keep one of them in the export")
        unlabelled += not found or not found[0]
        for labels, start, end in found[0] if found else ():
            segments.add(name, labels, place=place, start=start, end=end)
    if others:
        segments.notes.append(f"{others} results of other kinds (boxes, texts, ratings) are no labels of clips")
    if unlabelled:
        segments.notes.append(f"{unlabelled} tasks without a label are left out")
    return segments.result()


def is_label_studio(content: object) -> TypeGuard[list[Mapping[str, Any]]]:
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(task, Mapping)
            and isinstance(task.get("data"), Mapping)
            and isinstance(task.get("annotations"), list)
            for task in content
        )
    )


def _kind(result: object) -> str:
    return str(result.get("type", "")) if isinstance(result, Mapping) else ""


def _parts(result: object, times: FrameTimes, place: str) -> Iterator[Part]:
    if (read := READERS.get(_kind(result))) is None:
        return
    value = result.get("value") if isinstance(result, Mapping) else None
    if not isinstance(value, Mapping):
        raise DataError(f"{place}: a result of the kind {_kind(result)} has no value")
    yield from read(value, times, place)


def _choices(value: Mapping[str, object], times: FrameTimes, place: str) -> Iterator[Part]:
    yield _words(value, "choices", place), None, None


def _timeline(value: Mapping[str, object], times: FrameTimes, place: str) -> Iterator[Part]:
    words, ranges = _words(value, "timelinelabels", place), value.get("ranges")
    if times.fps is None:
        raise DataError(
            f"{place}: timeline labels count frames, at the frameRate of the labelling configuration's <Video>, 24 "
            "where it has none; the export does not say it: give it as `fps`"
        )
    for each in ranges if isinstance(ranges, list) else [None]:
        first, last = (each.get("start"), each.get("end")) if isinstance(each, Mapping) else (None, None)
        if not (isinstance(first, int) and isinstance(last, int) and 0 < first <= last):
            raise DataError(f'{place}: ranges are [{{"start": 1, "end": 30}}, …], frames from 1 on, not {each!r:.80}')
        yield words, (first - 1) / times.fps, last / times.fps


def _labels(value: Mapping[str, object], times: FrameTimes, place: str) -> Iterator[Part]:
    start, end = value.get("start"), value.get("end")
    if not (is_seconds(start) and is_seconds(end)):
        raise DataError(f"{place}: labels have start and end in seconds, not {start!r:.40} and {end!r:.40}")
    yield _words(value, "labels", place), float(start), float(end)


READERS = {"choices": _choices, "timelinelabels": _timeline, "labels": _labels}


def _words(value: Mapping[str, object], key: str, place: str) -> tuple[str, ...]:
    words = value.get(key)
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise DataError(f"{place}: {key} is a list of names of classes, not {words!r:.80}")
    return tuple(words)


def _video(data: Mapping[str, object], root: Path, place: str) -> str:
    """The one value of a task's data that is called like a video or picture."""
    names = {key: _file(value) for key, value in data.items() if isinstance(value, str)}
    media = {key: name for key, name in names.items() if is_media_name(name)}
    if len(set(media.values())) != 1:
        raise DataError(
            f"{place}: which value of its data is the video? Called like one: "
            f"{', '.join(media) or 'none'}, of {', '.join(data) or 'none'}"
        )
    name = next(iter(media.values()))
    # Label Studio puts eight digits before the names of files that are brought in by its page.
    return name_below(root, [name, re.sub(r"^[0-9a-f]{8}-", "", Path(name).name)])


def _file(value: str) -> str:
    url = urlsplit(value)
    if url.path.endswith("/local-files/"):
        return next(iter(parse_qs(url.query).get("d", [])), "")
    return unquote(url.path)
