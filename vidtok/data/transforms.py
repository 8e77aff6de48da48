"""Crops, scales and flips: one draw for all frames of a clip, uint8 in and uint8 out."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from vidtok.data.geometry import Size, rows_columns
from vidtok.types import Box
from vidtok.video.resize import resized

Pixels = UInt8[Tensor, "f c y x"]
TRIES = 10
"""Draws of a random box before the central one is taken."""


def random_box(
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    flip: bool,
    shape: float = 1.0,
) -> Box:
    """The random resized crop of Szegedy et al. (arXiv 1409.4842): area uniform, ratio log-uniform, place uniform.

    Ten tries, then the largest central box within the ratio range; `box_reach` says how often it comes to that. `scale`
    is a range of shares of the area, `ratio` one of width over height, in units of `shape` (1: a square).
    """
    mirrored = flip and bool(rng.random() < 0.5)
    for _ in range(TRIES):
        area = height * width * rng.uniform(*scale)
        aspect = shape * math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            return Box(top=top, left=left, height=h, width=w, flip=mirrored)
    w, h = _largest(height, width, ratio=ratio, shape=shape)
    return Box(top=(height - h) // 2, left=(width - w) // 2, height=h, width=w, flip=mirrored)


def _largest(height: int, width: int, *, ratio: tuple[float, float], shape: float) -> tuple[int, int]:
    """Width and height of the largest box within the ratio range."""
    aspect = min(max(width / height, shape * ratio[0]), shape * ratio[1])
    return max(1, min(width, round(height * aspect))), max(1, min(height, round(width / aspect)))


@dataclass(frozen=True, kw_only=True)
class BoxReach:
    """What `random_box` can give in a picture of one size."""

    largest: float
    """Share of the picture's area that the largest box within the ratio range has."""
    central: float
    """Share of the draws that end with the central box, because no try fits."""


def box_reach(
    height: int, width: int, *, scale: tuple[float, float], ratio: tuple[float, float], shape: float = 1.0
) -> BoxReach:
    """What these ranges come to in a picture of so many rows and columns, counted on a grid of 200 x 200 draws."""
    area = height * width * np.linspace(*scale, 200)[:, None]
    aspect = shape * np.exp(np.linspace(math.log(ratio[0]), math.log(ratio[1]), 200))
    w, h = np.round(np.sqrt(area * aspect)), np.round(np.sqrt(area / aspect))
    fits = float(((w > 0) & (h > 0) & (w <= width) & (h <= height)).mean())
    most_w, most_h = _largest(height, width, ratio=ratio, shape=shape)
    return BoxReach(largest=most_w * most_h / (height * width), central=(1 - fits) ** TRIES)


def jitter_box(
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    size: Size,
    short_side: tuple[float | int, float | int],
    independent: bool,
    flip: bool,
) -> Box:
    """Scale jitter: the shorter side scaled to a random length, then a random crop of `size`, as one box.

    To cut `size` rows out of a picture that was scaled by r is to cut size / r rows out of the picture itself and to
    scale those to `size`: nothing outside the box has to be scaled, and the box can be cut before colour conversion.
    The length is uniform in `short_side` (pixels): PySlowFast's short-side jitter, 256 to 320. With `independent` rows
    and columns are drawn each by themselves, which changes the picture's shape: scenic's jitter for ViViT
    (arXiv 2103.15691), factors of 0.9 to 1.33 on a short side of 256, is `short_side=(230.4, 340.48)`.
    Both scale first and cut whole pixels; here the box is rounded to whole pixels of the source.
    A crop that is no square counts by its shorter side, and by as much more as a picture needs to hold the longer.
    Raises ValueError where the crop could be larger than the scaled picture.
    """
    low, high = short_side
    rows, columns = rows_columns(size)
    least = min(rows, columns)
    if not least <= low <= high:
        raise ValueError(f"short_side is a range from low to high of at least the crop's {least}, got [{low}, {high}]")
    mirrored = flip and bool(rng.random() < 0.5)
    along_y = rng.uniform(low, high)
    along_x = rng.uniform(low, high) if independent else along_y
    unit = min(least * height / rows, least * width / columns)  # of a square crop, the picture's shorter side
    h = max(1, round(rows * unit / along_y))
    w = max(1, round(columns * unit / along_x))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return Box(top=top, left=left, height=h, width=w, flip=mirrored)


def crop_resize(pixels: Pixels, box: Box, *, size: Size) -> UInt8[Tensor, "f c rows columns"]:
    """Cut the box out and scale it to `size` (bilinear, antialiased); what lies beyond the picture is black."""
    rows, columns = pixels.shape[-2:]
    above, left = max(-box.top, 0), max(-box.left, 0)
    below, right = max(box.top + box.height - rows, 0), max(box.left + box.width - columns, 0)
    if above or left or below or right:
        pixels = F.pad(pixels, (left, right, above, below))
    top, beside = box.top + above, box.left + left
    out = resized(pixels[:, :, top : top + box.height, beside : beside + box.width], *rows_columns(size))
    return out.flip(-1) if box.flip else out


def cut_box(pixels: Pixels, box: Box) -> UInt8[Tensor, "f c rows columns"]:
    """The picture inside of the box, without a copy unless it is mirrored."""
    out = pixels[:, :, box.top : box.top + box.height, box.left : box.left + box.width]
    return out.flip(-1) if box.flip else out


def name_sides(classes: Sequence[str]) -> list[str]:
    """The class names with the word left or right in them: a mirrored clip of theirs shows another class.

    Words end at anything but a letter, and at a capital: `swipe_left`, `SwipeLeft` and `left2right` count, `upright`
    does not.
    """
    apart = (re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in classes)
    sides = re.compile(r"(?<![a-z])(left|right)(ward|wards)?(?![a-z])")
    return [name for name, words in zip(classes, apart, strict=True) if sides.search(words)]


def flip_warning(classes: Sequence[str]) -> str | None:
    """A line for a training that mirrors clips, with the first classes that tell left from right; None without any."""
    sides = name_sides(classes)
    if not sides:
        return None
    more = " …" if len(sides) > 3 else ""
    return (
        f"`flip` is on, but {len(sides)} of {len(classes)} class names tell left from right: "
        f"{', '.join(sides[:3])}{more}; a mirrored clip keeps its label: set `flip`=false unless that is meant"
    )
