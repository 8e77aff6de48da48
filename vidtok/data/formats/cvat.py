"""CVAT's XML 1.1: tags of frames and tracks become parts of videos, tags of pictures their labels."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vidtok.data.formats.segments import FrameTimes, Result, Segments, name_below
from vidtok.errors import DataError
from vidtok.text.xml import Element, read_xml
from vidtok.video.endings import is_media_name


@dataclass(frozen=True, kw_only=True)
class Task:
    """A video that was labelled: its name, and every how many frames of it were shown, up to which."""

    source: str
    step: int
    stop: int | None


def read_cvat(path: Path, *, root: Path, classes: Sequence[str] | None = None, fps: float | None = None) -> Result:
    """`CVAT for video 1.1` and `CVAT for images 1.1` of a task, a job or a project; or a folder of such files.

        <image id="0" name="frame_000000"><tag label="jump"/></image>        frames one after the other with a tag
        <track id="0" label="run"><box frame="3" outside="0" …/>…</track>    where a track is inside of the picture
        <image id="0" name="a.jpg"><tag label="jump"/></image>               pictures

    Frames are counted in the video; their times are the video's own, or those at `fps`. Boxes of single pictures and
    frames are no labels of clips: they are left out, and a note counts them.
    """
    segments, times = Segments(path, root=root, classes=classes, form="cvat"), FrameTimes(root, fps=fps)
    shapes = 0
    for file in sorted(path.glob("*.xml")) if path.is_dir() else [path]:
        top = read_xml(file)
        if not is_cvat(top):
            raise DataError(f"{file}:{top.line}: <{top.tag}> is no export of CVAT, which has <annotations> and <meta>")
        tasks = dict(_tasks(top))
        runs: dict[tuple[str, str], dict[int, int]] = {}
        for image in top.all("image"):
            place, name = f"{file}:{image.line}", _needed(image, "name", file)
            labels = [_needed(tag, "label", file) for tag in image.all("tag")]
            shapes += sum(child.tag not in ("tag", "attribute") for child in image.children)
            if is_media_name(name):
                if labels:
                    segments.add(name_below(root, [name]), dict.fromkeys(labels), place=place)
                continue
            task = _task_of(image, tasks, file)
            for label in labels:
                runs.setdefault((task, label), {})[_frame(image, "id", file)] = image.line
        for (task, label), frames in runs.items():
            for first, last in _runs(sorted(frames), tasks[task].step):
                _add(segments, times, tasks[task], label, first, last + tasks[task].step, f"{file}:{frames[first]}")
        for track in top.all("track"):
            task = tasks[_task_of(track, tasks, file)]
            for first, stop in _visible(track, task, file):
                _add(segments, times, task, _needed(track, "label", file), first, stop, f"{file}:{track.line}")
    if shapes:
        segments.notes.append(f"{shapes} shapes in single pictures or frames are no labels of clips, and are left out")
    return segments.result()


def is_cvat(top: Element) -> bool:
    return top.tag == "annotations" and any(top.all("meta"))


def _tasks(top: Element) -> Iterator[tuple[str, Task]]:
    """By their ids, as images and tracks of a project name them."""
    for meta in top.all("meta"):
        for way in (("task",), ("job",), ("project", "tasks", "task")):
            for task in meta.all(*way):
                step = re.search(r"step\s*=\s*(\d+)", task.text_of("frame_filter"))
                stop = task.text_of("stop_frame")
                yield (
                    task.text_of("id"),
                    Task(
                        source=task.text_of("source") or meta.text_of("source"),
                        step=max(1, int(step[1])) if step else 1,
                        stop=int(stop) if stop.isdecimal() else None,
                    ),
                )


def _task_of(element: Element, tasks: dict[str, Task], file: Path) -> str:
    own = element.attributes.get("task_id")
    if own is None and len(tasks) == 1:
        own = next(iter(tasks))
    if own not in tasks or not tasks[own].source:
        raise DataError(
            f"{file}:{element.line}: this <{element.tag}> is of frames, and no <source> in <meta> names their video"
        )
    return own


def _needed(element: Element, key: str, file: Path) -> str:
    value = element.attributes.get(key, "").strip()
    if not value:
        raise DataError(f"{file}:{element.line}: <{element.tag}> has no {key}")
    return value


def _frame(element: Element, key: str, file: Path) -> int:
    value = _needed(element, key, file)
    if not value.isdecimal():
        raise DataError(f"{file}:{element.line}: {key} is the number of a frame, not {value!r}")
    return int(value)


def _runs(frames: Sequence[int], step: int) -> Iterator[tuple[int, int]]:
    """First and last of the frames that follow each other."""
    breaks = [0, *(place for place, (one, two) in enumerate(pairwise(frames), 1) if two - one > step), len(frames)]
    return ((frames[begin], frames[stop - 1]) for begin, stop in pairwise(breaks))


def _visible(track: Element, task: Task, file: Path) -> Iterator[tuple[int, int | None]]:
    """Where a track is in the picture: from a frame up to the first one outside. None: to the end of the video.

    A shape holds until the next one that is written; the last one until the labelled part of the video ends.
    """
    shapes = sorted(
        (_frame(child, "frame", file), child.attributes.get("outside") == "1")
        for child in track.children
        if "frame" in child.attributes
    )
    begin = None
    for frame, is_outside in shapes:
        if is_outside and begin is not None:
            yield begin, frame
            begin = None
        elif not is_outside and begin is None:
            begin = frame
    if begin is not None:
        yield begin, None if task.stop is None else task.stop + 1


def _add(
    segments: Segments, times: FrameTimes, task: Task, label: str, first: int, stop: int | None, place: str
) -> None:
    name = name_below(segments.root, [task.source])
    start = times.seconds(name, first, place)
    if start is None:
        raise DataError(f"{place}: frame {first} lies behind the end of {name}")
    end = None if stop is None else times.seconds(name, stop, place)
    segments.add(name, [label], place=place, start=start, end=end)
