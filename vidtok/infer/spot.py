"""A point of a video that is asked about, and its place in the clip that a network sees."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from vidtok.data.dataset import clock_seconds
from vidtok.data.views import TestViews
from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import Point
from vidtok.video.protocols import duration_seconds
from vidtok.video.reader import VideoReader

EPSILON = 1e-6
"""Seconds by which moments that are the same may differ."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A point of a video: pixels of its upright pictures from the left and the top, and when, as players show it."""

    x: float | int
    y: float | int
    seconds: float | int


def point_of(
    spot: Spot, reader: VideoReader, views: TestViews, pixels: Tensor, seconds: Float64[np.ndarray, "f"]
) -> Point:
    """A point of the video as a point of the clip. ModelError where it is outside of what the network sees."""
    rows, columns = reader.size
    if not (0 <= spot.x < columns and 0 <= spot.y < rows):
        raise ModelError(f"`point`: {spot.x:g},{spot.y:g} is outside of the pictures, {columns} x {rows} (x, y)")
    end = float(clock_seconds(reader)[0]) + duration_seconds(reader.pts_seconds)
    if not 0 <= spot.seconds <= end:
        raise ModelError(f"`point`: {spot.seconds:g} s is outside of the video, which ends at {end:.3g} s")
    height, width = pixels.shape[-2:]
    box = views.boxes((height, width))[0]
    y = ((spot.y + 0.5) * height / rows - box.top) / box.height
    x = ((spot.x + 0.5) * width / columns - box.left) / box.width
    if not (0 <= y < 1 and 0 <= x < 1):
        left, top = (max(0.0, v) for v in (box.left * columns / width, box.top * rows / height))
        right, bottom = (box.left + box.width) * columns / width, (box.top + box.height) * rows / height
        raise ModelError(
            f"`point`: {spot.x:g},{spot.y:g} is outside of what the network sees: x from {left:.0f} to "
            f"{min(right, columns):.0f}, y from {top:.0f} to {min(bottom, rows):.0f}"
        )
    frame = int(np.clip(np.searchsorted(seconds, spot.seconds + EPSILON, side="right") - 1, 0, len(seconds) - 1))
    return Point(time=(frame + 0.5) / len(seconds), y=y, x=x)
