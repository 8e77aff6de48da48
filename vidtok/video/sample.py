"""Which frames a clip takes: functions of integers, no pixels.

A clip of 4 frames, stride 3, from frame 2 of a video of 16 frames:

    source   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
    clip           ^        ^        ^        ^               clip_indices(16, frames=4, stride=3, start=2)
    span           |<-------- 10 frames --------->|           (4 - 1) * 3 + 1
    starts   0 to 6: the last clip takes 6, 9, 12, 15         linspace_starts(16, 10, 3) == [0, 3, 6]

At a target rate the same functions run on the table of `resample`, and its entries are the source frames:

    table = resample(reader.pts_seconds, target_fps=25.0)
    indices = table[clip_indices(len(table), frames=4, stride=3, start=2)]
"""

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from vidtok.choices import OwnShort

# Matroska and FLV count whole milliseconds: a frame due within half of one is counted as shown.
CLOCK_SECONDS = 0.0005 + 1e-9


def span(frames: int, stride: int) -> int:
    """Source frames from a clip's first to its last, both counted: `(frames - 1) * stride + 1`."""
    if frames < 1 or stride < 1:
        raise ValueError(f"frames and stride count from 1, got {frames} and {stride}")
    return (frames - 1) * stride + 1


def _last_start(length: int, span: int) -> int:
    """The last start from which a clip ends inside the video; 0 where the video is shorter than the clip."""
    if length < 1 or span < 1:
        raise ValueError(f"length and span count from 1, got {length} and {span}")
    return max(length - span, 0)


def random_start(length: int, span: int, generator: np.random.Generator) -> int:
    """A start drawn uniformly from 0 to the last possible one."""
    return int(generator.integers(_last_start(length, span) + 1))


def linspace_starts(length: int, span: int, clips: int) -> list[int]:
    """Starts of `clips` clips, evenly from 0 to the last possible one, rounded down; a single clip is the middle one.

    How other frameworks place clips is in `vidtok.video.protocols`.
    """
    last = _last_start(length, span)
    if clips < 1:
        raise ValueError(f"clips count from 1, got {clips}")
    return [last // 2] if clips == 1 else [i * last // (clips - 1) for i in range(clips)]


def part_frames(
    seconds: Float64[Tensor, "n"], *, start_seconds: float | None, end_seconds: float | None
) -> tuple[int, int]:
    """The first frame shown at or after the start, and the first at or after the end, or the number of frames.

    `seconds` are by the file's clock. Times within half a millisecond count as equal, as clocks of whole milliseconds
    need it. Where the first is not below the second, no frame is shown in this part.
    """
    first, stop = 0, len(seconds)
    if start_seconds is not None:
        first = int((seconds < start_seconds - CLOCK_SECONDS).sum())
    if end_seconds is not None:
        stop = int((seconds < end_seconds - CLOCK_SECONDS).sum())
    return first, stop


def no_part_words(seconds: Float64[Tensor, "n"], *, start_seconds: float | None, end_seconds: float | None) -> str:
    """Why a part has no frames."""
    end = "the end" if end_seconds is None else f"{end_seconds:g} s"
    return (
        f"no frame is shown from {start_seconds or 0:g} s to {end}; its {len(seconds)} frames are shown from "
        f"{float(seconds[0]):.3g} to {float(seconds[-1]):.3f} s"
    )


def spread(length: int, most: int) -> list[int]:
    """At most `most` numbers below `length`, evenly from 0 on; all of them where there are no more."""
    count = min(length, most)
    return [i * length // count for i in range(count)]


def clip_indices(
    length: int, *, frames: int, stride: int, start: int, short: OwnShort = "repeat"
) -> Int64[Tensor, "f"]:
    """`start, start + stride, ...`, `frames` of them. Past the end of the video, `short` decides.

    `repeat` takes the last frame again and again; `loop` begins the video anew (index modulo length).
    """
    span(frames, stride)
    if not 0 <= start < length:
        raise ValueError(f"a clip starts inside the video, at 0 to {length - 1}, got {start}")
    indices = start + stride * torch.arange(frames)
    return indices.clamp(max=length - 1) if short == "repeat" else indices % length


def resample(pts_seconds: Float64[Tensor, "n"], target_fps: float | int) -> Int64[Tensor, "m"]:
    """Constant-rate index table: entry k is the source frame shown at `pts_seconds[0] + k / target_fps`.

    A frame is shown from its presentation time to the next one's, the last for the mean duration of the others
    (a single frame: for one entry). The table ends with the video. Times within half a millisecond count as equal.
    """
    if not target_fps > 0:
        raise ValueError(f"target_fps is a rate above 0, got {target_fps}")
    if len(pts_seconds) < 2:
        return torch.zeros(len(pts_seconds), dtype=torch.int64)
    shown = pts_seconds - pts_seconds[0]
    duration = float(shown[-1]) * len(shown) / (len(shown) - 1)
    count = max(1, int(np.ceil((duration - CLOCK_SECONDS) * target_fps)))
    due = torch.arange(count, dtype=torch.float64) / target_fps
    return torch.searchsorted(shown, due + CLOCK_SECONDS, right=True) - 1
