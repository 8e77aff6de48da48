"""Crops, scales and flips: one draw for all frames of a clip, uint8 in and uint8 out."""

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidtok.types import Box

Pixels = UInt8[Tensor, "f c y x"]
Square = UInt8[Tensor, "f c {size} {size}"]


def random_box(
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    flip: bool,
) -> Box:
    """The random resized crop of Szegedy et al. (arXiv 1409.4842): area uniform, ratio log-uniform, place uniform.

    Ten tries, then the largest central box within the ratio range. `scale` is a range of shares of the area.
    """
    mirrored = flip and bool(rng.random() < 0.5)
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            return Box(top=top, left=left, height=h, width=w, flip=mirrored)
    aspect = min(max(width / height, ratio[0]), ratio[1])
    w, h = min(width, round(height * aspect)), min(height, round(width / aspect))
    return Box(top=(height - h) // 2, left=(width - w) // 2, height=h, width=w, flip=mirrored)


def jitter_box(
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    size: int,
    short_side: tuple[float | int, float | int],
    independent: bool,
    flip: bool,
) -> Box:
    """Scale jitter: the shorter side scaled to a random length, then a random crop of `size` x `size`, as one box.

    To cut `size` rows out of a picture that was scaled by r is to cut size / r rows out of the picture itself and to
    scale those to `size`: nothing outside the box has to be scaled, and the box can be cut before colour conversion.
    The length is uniform in `short_side` (pixels): PySlowFast's short-side jitter, 256 to 320. With `independent` rows
    and columns are drawn each by themselves, which changes the picture's shape: scenic's jitter for ViViT
    (arXiv 2103.15691), factors of 0.9 to 1.33 on a short side of 256, is `short_side=(230.4, 340.48)`.
    Both scale first and cut whole pixels; here the box is rounded to whole pixels of the source.
    Raises ValueError where the crop could be larger than the scaled picture.
    """
    low, high = short_side
    if not size <= low <= high:
        raise ValueError(f"short_side is a range from low to high of at least the crop's {size}, got [{low}, {high}]")
    mirrored = flip and bool(rng.random() < 0.5)
    along_y = rng.uniform(low, high)
    along_x = rng.uniform(low, high) if independent else along_y
    short = min(height, width)
    h, w = (max(1, round(size * short / side)) for side in (along_y, along_x))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return Box(top=top, left=left, height=h, width=w, flip=mirrored)


def crop_resize(pixels: Pixels, box: Box, *, size: int) -> Square:
    """Cut the box out and scale it to `size` x `size` (bilinear, antialiased)."""
    out = F.resized_crop(
        pixels, box.top, box.left, box.height, box.width, [size, size], interpolation=v2.InterpolationMode.BILINEAR
    )
    return F.horizontal_flip(out) if box.flip else out


def spatial_box(height: int, width: int, *, size: int, crop: int, crops: int) -> Box:
    """Box number `crop` of `crops` squares, spread along the longer side from end to end; a single one is the centre.

    |[ 0 ][ 1 ][ 2 ]|      crops = 3, a wide picture
    """
    if min(height, width) < size:
        raise ValueError(f"a crop of {size} does not fit into a picture of {height} x {width}")
    along_x = width >= height
    spare = (width if along_x else height) - size
    offset = spare // 2 if crops == 1 else round(spare * crop / (crops - 1))
    other = ((height if along_x else width) - size) // 2
    top, left = (other, offset) if along_x else (offset, other)
    return Box(top=top, left=left, height=size, width=size)


def spatial_crop(pixels: Pixels, *, size: int, crop: int, crops: int) -> Square:
    """The picture inside of `spatial_box`, without a copy."""
    height, width = pixels.shape[-2:]
    box = spatial_box(height, width, size=size, crop=crop, crops=crops)
    return pixels[:, :, box.top : box.top + size, box.left : box.left + size]


def name_sides(classes: Sequence[str]) -> list[str]:
    """The class names with the word left or right in them: a mirrored clip of theirs shows another class.

    Words end at anything but a letter, and at a capital: `swipe_left`, `SwipeLeft` and `left2right` count, `upright`
    does not.
    """
    apart = (re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in classes)
    sides = re.compile(r"(?<![a-z])(left|right)(ward|wards)?(?![a-z])")
    return [name for name, words in zip(classes, apart, strict=True) if sides.search(words)]


def flip_warning(classes: Sequence[str], *, shown: int = 3) -> str | None:
    """A line for a training that mirrors clips, with the first classes that tell left from right; None without any."""
    sides = name_sides(classes)
    if not sides:
        return None
    more = " …" if len(sides) > shown else ""
    return (
        f"data.flip is on, but {len(sides)} of {len(classes)} class names tell left from right: "
        f"{', '.join(sides[:shown])}{more}; a mirrored clip keeps its label: set data.flip=false unless that is meant"
    )
