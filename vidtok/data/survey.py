"""A look at some videos of a list before a run: can the crops be had that are asked for, is a clip longer than they?"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vidtok.data.dataset import clock_seconds, open_record, part
from vidtok.data.views import ResizedCrop, TestViews, TrainViews
from vidtok.errors import DecodeError
from vidtok.types import Record
from vidtok.video.protocols import duration_seconds
from vidtok.video.reader import READ_SECONDS
from vidtok.video.sample import spread

LOOKED_AT = 16
OFTEN = 0.5
"""From this share of the draws on, a central box in place of a random one is no accident."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one video is like."""

    name: str
    picture: tuple[int, int]
    """Rows and columns."""
    frames: int
    """Those of the record's part of it."""
    is_short: bool
    """Whether a clip is longer."""


def survey(
    records: Sequence[Record],
    views: TrainViews | TestViews,
    *,
    backend: str,
    timeout_seconds: float = READ_SECONDS,
    most: int = LOOKED_AT,
) -> list[Seen]:
    """Open at most `most` videos, evenly from the list; those that cannot be read are for others to name."""
    seen = []
    for row in spread(len(records), most):
        record = records[row]
        try:
            with open_record(record, backend=backend, timeout_seconds=timeout_seconds) as reader:
                first, stop = part(record, clock_seconds(reader))
                is_short = views.clip.is_longer_than(reader.pts_seconds[first:stop])
                seen.append(Seen(name=record.path.name, picture=reader.size, frames=stop - first, is_short=is_short))
        except DecodeError:
            continue
    return seen


def median_seconds(
    records: Sequence[Record], *, backend: str, timeout_seconds: float = READ_SECONDS, most: int = 64
) -> float | None:
    """How long the records' videos, or their parts, are in the middle; at most `most` are opened, evenly from the list.

    None where none of them can be read, and for pictures, which have no length.
    """
    lengths = []
    for row in spread(len(records), most):
        try:
            with open_record(records[row], backend=backend, timeout_seconds=timeout_seconds) as reader:
                first, stop = part(records[row], clock_seconds(reader))
                lengths.append(duration_seconds(reader.pts_seconds[first:stop]))
        except DecodeError:
            continue
    return (median(lengths) or None) if lengths else None


def crop_warning(seen: Sequence[Seen], views: TrainViews) -> str | None:
    """A line where the random boxes that were asked for do not fit into the pictures; None where they do."""
    crop = views.crop
    if not isinstance(crop, ResizedCrop):
        return None
    reached = [(each, crop.reach(*each.picture, size=views.size)) for each in seen]
    bad = [(each, reach) for each, reach in reached if reach.central > OFTEN]
    if not bad:
        return None
    worst, reach = max(bad, key=lambda pair: pair[1].central)
    low, high = (100 * share for share in crop.scale)
    return (
        f"in {len(bad)} of {len(seen)} training videos looked at, no box of {low:g} to {high:g} % of the picture "
        f"(scale) is {crop.ratio[0]:g} to {crop.ratio[1]:g} times as wide as high (ratio): in {worst.name}, "
        f"{worst.picture[1]} x {worst.picture[0]} pixels, the largest has {100 * reach.largest:.0f} %, and "
        f"{100 * reach.central:.0f} % of the draws end with that same central box, scaled to the network's shape. Set "
        f"`fit`=squeeze or `fit`=pad (with `short_side`=null `crops`=1), which show the whole picture in "
        f"training and testing alike, or a wider `ratio`, or a lower `scale`"
    )


def short_warning(seen: Sequence[Seen], views: TrainViews | TestViews, *, which: str) -> str | None:
    """A line where a clip is longer than some of the videos; None where it is longer than none."""
    short = [each for each in seen if each.is_short]
    if not short:
        return None
    clip, least = views.clip, min(short, key=lambda each: each.frames)
    rate = "" if clip.target_fps is None else f" at {clip.target_fps:g} fps"
    return (
        f"a clip of {clip.frames} frames with stride {clip.stride}{rate} is longer than {len(short)} of {len(seen)} "
        f"{which} videos looked at ({least.name} has {least.frames} frames): it has some of their frames more than "
        f"once, and all clips of such a video are the same"
    )
