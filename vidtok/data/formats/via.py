"""VIA 3, the VGG Image Annotator's project of videos: temporal segments are parts of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidtok.data.formats.segments import Result, Segments, name_below, seconds_pair
from vidtok.errors import DataError
from vidtok.text.file import read_json

KEYS = ("project", "file", "view", "attribute", "metadata")
TEXT, CHECKBOX = 1, 2  # the kinds of an attribute whose value is no single option


def read_via(path: Path, *, root: Path, classes: Sequence[str] | None = None, label: str | None = None) -> Result:
    """`via_project_*.json` of VIA 3. A segment with two times is a part of a video; one without times all of it.

    The label is the value of the attribute called `label`, which needs no name where the segments have only one.
    Regions within frames, single moments and segments without a value are left out, and a note counts them.
    """
    content = read_json(path)
    if not isinstance(content, Mapping) or not is_via(content):
        raise DataError(f"{path}: no project of VIA 3, an object with the keys {', '.join(KEYS)}")
    segments = Segments(path, root=root, classes=classes, form="via")
    metadata = {key: _mapping(each, f"{path}: metadata {key!r}") for key, each in content["metadata"].items()}
    kept = {key: each for key, each in metadata.items() if not each.get("xy") and len(_times(each)) != 1}
    attribute = _attribute(content["attribute"], kept, label, path)
    empty = 0
    for key, each in kept.items():
        place = f"{path}: metadata {key!r}"
        words = _labels(content["attribute"][attribute], _mapping(each.get("av", {}), place).get(attribute), place)
        if not words:
            empty += 1
            continue
        times = _times(each)
        start, end = seconds_pair(times, place, "z") if times else (None, None)
        segments.add(_name(content, each, root, place), words, place=place, start=start, end=end)
    if len(kept) < len(metadata):
        segments.notes.append(f"{len(metadata) - len(kept)} regions and single moments are no parts of videos")
    if empty:
        segments.notes.append(f"{empty} segments without a value of {attribute!r} are left out")
    return segments.result()


def is_via(content: Mapping[str, object]) -> bool:
    return all(isinstance(content.get(key), Mapping) for key in KEYS)


def _times(item: Mapping[str, object]) -> list[object]:
    times = item.get("z")
    return times if isinstance(times, list) else []


def _attribute(
    attributes: Mapping[str, object], kept: Mapping[str, Mapping[str, object]], label: str | None, path: Path
) -> str:
    """The id of the attribute that has the labels."""
    used = {key for each in kept.values() if isinstance(each.get("av"), Mapping) for key in each["av"]}  # type: ignore
    names = {
        key: str(value.get("aname", key))
        for key, value in attributes.items()
        if key in used and isinstance(value, Mapping)
    }
    fitting = [key for key, name in names.items() if label in (None, name)]
    if len(fitting) != 1:
        listed = ", ".join(names.values()) or "none"
        raise DataError(f"{path}: which attribute of the segments has the labels: {listed}? Say it with `label`")
    return fitting[0]


def _labels(attribute: Mapping[str, object], value: object, place: str) -> list[str]:
    """The labels' words: the text itself, or those of the options whose ids are the value."""
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        raise DataError(f"{place}: the value of an attribute is a text, not {value!r:.80}")
    if attribute.get("type") == TEXT:
        return [value.strip()]
    options = _mapping(attribute.get("options", {}), place)
    chosen = value.split(",") if attribute.get("type") == CHECKBOX else [value]
    if missing := [each for each in chosen if each not in options]:
        raise DataError(f"{place}: {missing[0]!r} is none of the options of its attribute ({', '.join(options)})")
    return [str(options[each]) for each in chosen]


def _name(content: Mapping[str, Mapping], item: Mapping[str, object], root: Path, place: str) -> str:
    view = _mapping(content["view"].get(item.get("vid")), f"{place}: its view {item.get('vid')!r}")
    files = view.get("fid_list")
    if not isinstance(files, list) or len(files) != 1:
        raise DataError(f"{place}: its view shows {len(files or []) if isinstance(files, list) else 0} files, not one")
    file = _mapping(content["file"].get(str(files[0])), f"{place}: its file {files[0]!r}")
    names = [file.get("fname"), unquote(urlsplit(str(file.get("src") or "")).path)]
    known = [name for name in names if isinstance(name, str) and name]
    if not known:
        raise DataError(f"{place}: its file {files[0]!r} has no name (fname)")
    return name_below(root, known)


def _mapping(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise DataError(f"{place} is no object, but {value!r:.80}")
    return value
