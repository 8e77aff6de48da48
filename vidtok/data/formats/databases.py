"""JSON in the form of ActivityNet: an object from ids of videos to what is known of them, with timed annotations."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, get_args

from vidtok.choices import CoinLabel, Part
from vidtok.data.formats.disk import MediaFinder
from vidtok.data.formats.kinetics import KineticsRow, read_rows
from vidtok.data.formats.segments import Result, Segments, check_id, check_label, seconds_pair
from vidtok.errors import DataError
from vidtok.text.file import read_json

SUBSETS: Mapping[Part, tuple[str, ...]] = {"train": ("training", "train"), "val": ("validation", "val", "validate")}
Video = tuple[str, str, Mapping[str, object]]
"""Place in words, id, and what the list says of it."""


def read_activitynet(
    path: Path,
    *,
    root: Path,
    classes: Sequence[str] | None = None,
    part: Part = "train",
    subset: str | None = None,
) -> Result:
    """`activity_net.v1-3.min.json`, HACS segments, and other lists in this form: a record for each segment.

        {"database": {"ID": {"subset": "training", "annotations": [{"segment": [1.5, 7.25], "label": "Archery"}], …}}}

    A video is root/v_ID.mp4, root/ID.mp4, or the same in a folder called by its class or its subset, with any ending.
    `part` takes the subset `training` or `validation`; `subset` takes one of another name, such as THUMOS' `Test`.
    """
    segments = Segments(path, root=root, classes=classes, form="activitynet", published=True)
    finder = MediaFinder(root)
    for place, video_id, video in _of_part(path, part, subset):
        for own, label, start, end in _annotations(video, "annotations", place):
            folders = ["", label, str(video["subset"]), f"{video['subset']}/{label}"]
            found = finder.find((f"v_{video_id}", video_id), folders=folders)
            name = found.name if found else f"v_{video_id}.mp4"
            segments.add(name, [label], place=own, start=start, end=end, video_id=video_id)
    return segments.result()


def read_coin(
    path: Path,
    *,
    root: Path,
    classes: Sequence[str] | None = None,
    part: Part = "train",
    subset: str | None = None,
    label: str | None = None,
) -> Result:
    """`COIN.json`: its tasks (`label`=task: 180, a record for each video) or its steps (`label`=step: 778).

        {"database": {"ID": {"recipe_type": 13, "class": "MakeTea", "subset": "training", "start": 7, "end": 80,
                             "annotation": [{"id": "67", "segment": [7.0, 20.0], "label": "boil water"}], …}}}

    A video is root/RECIPE_TYPE/ID.mp4 or root/ID.mp4, with any ending. COIN's own testing list is its subset
    `testing`, which `part`=val takes.
    """
    if label not in get_args(CoinLabel):
        raise DataError(f"{path}: COIN has two kinds of labels: say `label`=task or `label`=step, not {label!r}")
    segments = Segments(path, root=root, classes=classes, form="coin", published=True)
    finder = MediaFinder(root)
    for place, video_id, video in _of_part(path, part, subset, val=("testing",)):
        folder = check_id(str(video.get("recipe_type", "")), f"{place}: recipe_type")
        found = finder.find((video_id,), folders=(folder, ""))
        name = found.name if found else f"{folder}/{video_id}.mp4"
        if label == "step":
            for own, step, start, end in _annotations(video, "annotation", place):
                segments.add(name, [step], place=own, start=start, end=end, video_id=video_id)
        else:
            start, end = seconds_pair([video.get("start"), video.get("end")], place, "start and end")
            task = check_label(video.get("class"), f"{place}: class")
            segments.add(name, [task], place=place, start=start, end=end, video_id=video_id)
    return segments.result()


def read_kinetics_json(
    path: Path, *, root: Path, classes: Sequence[str] | None = None, untrimmed: bool = False
) -> Result:
    """Kinetics' lists in JSON, as its archives have them beside the CSV; videos are found as the CSV's are.

    {"0347ZoDXyP0": {"annotations": {"label": "abseiling", "segment": [95.0, 105.0]}, "subset": "train", …}, …}
    """
    content = read_json(path)
    if not is_kinetics_json(content):
        raise DataError(f'{path}: a list of Kinetics in JSON is {{"ID": {{"annotations": {{"label", "segment"}}, …}}}}')

    def rows() -> Iterator[KineticsRow]:
        for key, video in content.items():
            place = f"{path}: {key!r}"
            item = _mapping(_mapping(video, place).get("annotations"), f"{place}: annotations")
            start, end = seconds_pair(item.get("segment"), place, "segment")
            label, split = check_label(item.get("label"), place), str(video.get("subset", ""))
            yield KineticsRow(place=place, label=label, id=check_id(key, place), start=start, end=end, split=split)

    return read_rows(path, rows(), root=root, classes=classes, untrimmed=untrimmed, form="kinetics_json")


def is_activitynet(content: object) -> bool:
    return any(isinstance(video.get("annotations"), list) for video in _first_videos(content))


def is_coin(content: object) -> bool:
    return any("annotation" in video and "recipe_type" in video for video in _first_videos(content))


def is_kinetics_json(content: object) -> TypeGuard[Mapping[str, Mapping[str, Any]]]:
    """Every video has one annotation, an object and no list."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(
            isinstance(video, Mapping) and isinstance(video.get("annotations"), Mapping) for video in content.values()
        )
    )


def _first_videos(content: object) -> list[Mapping[str, object]]:
    database = content.get("database") if isinstance(content, Mapping) else None
    videos = list(database.values())[:100] if isinstance(database, Mapping) else []
    return [video for video in videos if isinstance(video, Mapping)]


def _of_part(path: Path, part: Part, subset: str | None, *, val: tuple[str, ...] = SUBSETS["val"]) -> Iterator[Video]:
    content = read_json(path)
    database = content.get("database") if isinstance(content, Mapping) else None
    if not isinstance(database, Mapping):
        raise DataError(f'{path}: no object "database" in it, from the ids of videos to their annotations')
    wanted = (subset,) if subset is not None else val if part == "val" else SUBSETS["train"]
    counts: Counter[str] = Counter()
    for key, value in database.items():
        place = f"{path}: {key!r}"
        video = _mapping(value, place)
        counts[str(video.get("subset"))] += 1
        if video.get("subset") in wanted:
            yield place, check_id(key, place), video
    if not any(counts[each] for each in wanted):
        listed = ", ".join(f"{name} ({count})" for name, count in counts.items()) or "none"
        raise DataError(
            f"{path}: no video of the subset {' or '.join(wanted)}; there are: {listed}. Say one with `subset`"
        )


def _annotations(video: Mapping[str, object], key: str, place: str) -> Iterator[tuple[str, str, float, float]]:
    items = video.get(key)
    if not isinstance(items, list):
        raise DataError(f"{place}: {key} is a list of objects with segment and label, not {items!r:.80}")
    for number, value in enumerate(items):
        own = f"{place}: {key} {number} (from 0)"
        item = _mapping(value, own)
        start, end = seconds_pair(item.get("segment"), own, "segment")
        yield own, check_label(item.get("label"), own), start, end


def _mapping(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise DataError(f"{place}: an object, not {value!r:.80}")
    return value
