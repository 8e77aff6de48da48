"""webdataset's shards: tar archives whose members belong together by their names, a video and its label."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidtok.data.classes import LabelReader
from vidtok.data.columns import label_columns
from vidtok.data.records import Records, RecordsBuilder
from vidtok.errors import DataError
from vidtok.video.endings import is_media_name
from vidtok.video.source import is_url, located, open_stored, tar_index, url_of

Result = tuple[Records, tuple[str, ...] | None]
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST_SHARDS = 100_000
MOST_LABEL_BYTES = 2**20
LABELS = ("cls", "json", "txt")
PICKLES = ("pyd", "pkl", "pickle", "pth", "pt")


def is_shards(path: Path) -> bool:
    """Whether a list is an archive, or a pattern of several."""
    return path.suffix == ".tar" and (is_url(path) or path.is_file() or BRACES.search(str(path)) is not None)


def read_shards(path: Path, *, root: Path, classes: Sequence[str] | None = None) -> Result:
    """`shards/train-{000000..000012}.tar`, or one such archive, in a folder or behind a URL.

        0001.mp4  0001.cls     the number of its class, as text
        0002.mp4  0002.json    an object with `label`, or another word for it (`data/columns.py`)
        0003.mp4  0003.txt     the name of its class, or the number

    What belongs together has the same name up to its first dot. The first of these three that is there is the label; a
    `json` without one leaves it to `txt`. Other members are left alone. A video's path is that of its archive and its
    own, `train-000003.tar/0001.mp4`; it is read where it lies. Archives are looked for as the pattern says, not below
    the root. Raises DataError, which names archive and member; pickles are not read.
    """
    reader, builder = LabelReader(classes, source=path), RecordsBuilder()
    for archive in expand(path):
        if not is_url(archive) and not archive.is_file():
            raise DataError(f"{path}: there is no {archive}")
        try:
            samples = _samples(archive)
        except OSError as error:
            raise DataError(f"{archive}: {error.strerror or error}") from error
        for key, members in samples.items():
            media = [ending for ending in members if is_media_name(f"x.{ending}")]
            if not media:
                continue
            if len(media) > 1:
                raise DataError(f"{archive}: {key!r} has several videos or pictures: {', '.join(sorted(media))}")
            labels = _labels(archive, key, members)
            place = f"{archive}: {key!r}"
            builder.add(
                f"{url_of(archive) if is_url(archive) else archive.absolute()}/{members[media[0]]}",
                [reader.label(label, line=place) for label in labels],
                video_id=f"{archive.name}/{members[media[0]]}",
            )
    columns = builder.columns(relabel=reader.relabel())
    if not len(columns.label_ends):
        raise DataError(f"{path}: no video with a label in it")
    return Records.from_columns(columns, root=root, source=path, form="shards"), reader.names()


def shard_videos(path: Path) -> list[str]:
    """The paths of all videos and pictures of an archive or a pattern, in order; whether they have labels is no matter.

    Raises DataError as `read_shards` does.
    """
    found = []
    for archive in expand(path):
        if not is_url(archive) and not archive.is_file():
            raise DataError(f"{path}: there is no {archive}")
        try:
            members = tar_index(archive)
        except OSError as error:
            raise DataError(f"{archive}: {error.strerror or error}") from error
        place = url_of(archive) if is_url(archive) else archive
        found += [f"{place}/{name}" for name in members if is_media_name(name)]
    if not found:
        raise DataError(f"{path}: no video in it")
    return found


def expand(path: Path) -> Iterator[Path]:
    """The archives of a pattern, in order; numbers keep the zeros before them."""
    text = url_of(path) if is_url(path) else str(path)
    match = None if not is_url(path) and path.is_file() else BRACES.search(text)
    if match is None:
        yield located(Path(), text)
        return
    first, last = int(match[1]), int(match[2])
    if not first <= last < first + MOST_SHARDS:
        raise DataError(f"{text}: {match[0]} goes from a number to a higher one, and at most {MOST_SHARDS} of them")
    for number in range(first, last + 1):
        yield from expand(Path(f"{text[: match.start()]}{number:0{len(match[1])}}{text[match.end() :]}"))


def _samples(archive: Path) -> dict[str, dict[str, str]]:
    """From the key of a sample to its members' names by their endings."""
    samples: dict[str, dict[str, str]] = {}
    for name in tar_index(archive):
        folder, _, file = name.rpartition("/")
        stem, dot, ending = file.partition(".")
        if dot and stem:
            samples.setdefault(f"{folder}/{stem}" if folder else stem, {})[ending.lower()] = name
    return samples


def _labels(archive: Path, key: str, members: Mapping[str, str]) -> list[str]:
    for ending in LABELS:
        if ending not in members:
            continue
        text = _text(archive, members[ending])
        labels = _of_json(text, f"{archive}: {members[ending]}") if ending == "json" else [text.strip()]
        if labels is None:
            continue
        if not all(labels):
            raise DataError(f"{archive}: {members[ending]} is empty; it has the number or the name of a class")
        return labels
    pickles = sorted(members[ending] for ending in PICKLES if ending in members)
    if pickles:
        raise DataError(
            f"{archive}: {pickles[0]} is a pickle, which can run code when it is read, and is not: write labels as "
            "KEY.cls, KEY.json or KEY.txt"
        )
    there = ", ".join(sorted(members))
    raise DataError(f"{archive}: {key!r} has no label (.cls, .json with label, or .txt); its members end in: {there}")


def _text(archive: Path, member: str) -> str:
    _, size = tar_index(archive)[member]
    if size > MOST_LABEL_BYTES:
        raise DataError(f"{archive}: {member} has {size} bytes; labels have at most {MOST_LABEL_BYTES}")
    with open_stored(archive / member) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{archive}: {member} is no text in UTF-8") from error


def _of_json(text: str, place: str) -> list[str] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not valid JSON: {error}") from error
    if not isinstance(content, Mapping):
        raise DataError(f'{place}: an object such as {{"label": "run"}}, not {content!r:.80}')
    columns = label_columns(list(content))
    if len(columns) > 1:
        raise DataError(f"{place}: which key is the label: {' or '.join(columns)}? Call that one label")
    if not columns:
        return None
    value = content[columns[0]]
    labels = value if isinstance(value, list) else [value]
    if not all(isinstance(label, str | int) and not isinstance(label, bool) for label in labels):
        raise DataError(f"{place}: {columns[0]} is a whole number from 0 on or a class's name, not {value!r:.80}")
    return [str(label).strip() for label in labels]
