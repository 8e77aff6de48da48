"""What is probably not meant in the lists of a run; each function gives lines that say where to look."""

import difflib
import os
from collections.abc import Sequence

import numpy as np

from vidtok.data.columns import plain_name
from vidtok.data.records import Records
from vidtok.text.classes import same_text

FEW = 2
LIKE = 0.75  # of two names, as difflib counts
MOST_LOOKED_AT = 100  # rare classes that are compared with all others


def list_suspicions(train: Records, val: Records, classes: Sequence[str]) -> list[str]:
    """Lines on both lists of a run: contradictions, videos of training in validation, and odd classes."""
    return [*contradictions(train), *contradictions(val), *shared_videos(train, val), *odd_classes(train, classes)]


def contradictions(records: Records) -> list[str]:
    """A line where a video, or the same part of one, stands twice with other labels."""
    rows: dict[tuple[str, float | None, float | None], int] = {}
    found: list[tuple[int, int]] = []
    for row, (name, part) in enumerate(zip(_names(records), records.parts(), strict=True)):
        first = rows.setdefault((name, *part), row)
        if first != row and set(records[first].labels) != set(records[row].labels):
            found.append((first, row))
    if not found:
        return []
    one, two = (records[row] for row in found[0])
    return [
        f"{records.source}: {len(found)} lines contradict earlier ones on the same video, such as {one.video_id!r} "
        f"with the labels {_words(one.labels)} and {_words(two.labels)}"
    ]


def shared_videos(train: Records, val: Records) -> list[str]:
    """A line where videos that are tested with, or the same parts of them, were trained on."""
    known = set(zip(_names(train), train.parts(), strict=True))
    names = _names(val)
    shared = [row for row, key in enumerate(zip(names, val.parts(), strict=True)) if key in known]
    if not shared:
        return []
    if len(shared) == len(val):
        return [
            f"all {len(val)} videos of {val.source} are in {train.source}, too: the figures will say how well the "
            "training videos are known, not how well others are told"
        ]
    return [
        f"{len(shared)} of {len(val)} videos of {val.source} are in {train.source}, too, such as "
        f"{val[shared[0]].video_id!r}: figures on them say nothing of others"
    ]


def odd_classes(train: Records, classes: Sequence[str]) -> list[str]:
    """Lines on classes of one or two videos, and on names that are nearly the same as another."""
    counts = np.bincount(train.all_labels(), minlength=len(classes))[: len(classes)]
    few = [k for k in range(len(classes)) if 0 < counts[k] <= FEW]
    lines = []
    if few:
        named = ", ".join(f"{classes[k]!r} ({counts[k]})" for k in few[:5]) + (" …" if len(few) > 5 else "")
        lines.append(f"{len(few)} of {len(classes)} classes have one or two videos in {train.source}: {named}")
    pairs: dict[tuple[int, int], None] = {}
    same: dict[str, int] = {}
    for k, name in enumerate(classes):
        if (first := same.setdefault(plain_name(same_text(name)) or name, k)) != k:
            pairs[first, k] = None
    places = {name: k for k, name in enumerate(classes)}
    for k in few[:MOST_LOOKED_AT]:
        for near in difflib.get_close_matches(classes[k], classes, n=3, cutoff=LIKE):
            if (other := places[near]) != k and counts[other] > counts[k] and not _differ_in_number(near, classes[k]):
                pairs[min(k, other), max(k, other)] = None
    if pairs:
        named = ", ".join(
            f"{classes[one]!r} ({counts[one]}) and {classes[two]!r} ({counts[two]})" for one, two in list(pairs)[:3]
        )
        lines.append(f"{len(pairs)} pairs of classes have nearly the same name: {named}; is one of them misspelled?")
    return lines


def _differ_in_number(one: str, two: str) -> bool:
    """`wave1` and `wave2` are two."""
    return "".join(filter(str.isdecimal, one)) != "".join(filter(str.isdecimal, two))


def _names(records: Records) -> list[str]:
    """Paths that are the same where the file is, as far as that can be told from the lists."""
    root = os.path.abspath(records.root)
    return [name if "://" in name else os.path.normpath(os.path.join(root, name)) for name in records.names()]


def _words(labels: Sequence[int]) -> str:
    return " ".join(map(str, labels)) or "none"
