"""Crops, scales and flips: one draw for all frames of a clip, uint8 in and uint8 out."""

import math

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


def crop_resize(pixels: Pixels, box: Box, *, size: int) -> Square:
    """Cut the box out and scale it to `size` x `size` (bilinear, antialiased)."""
    out = F.resized_crop(
        pixels, box.top, box.left, box.height, box.width, [size, size], interpolation=v2.InterpolationMode.BILINEAR
    )
    return F.horizontal_flip(out) if box.flip else out


def spatial_crop(pixels: Pixels, *, size: int, crop: int, crops: int) -> Square:
    """Crop number `crop` of `crops` squares, spread along the longer side from end to end; a single one is the centre.

    |[ 0 ][ 1 ][ 2 ]|      crops = 3, a wide picture
    """
    height, width = pixels.shape[-2:]
    if min(height, width) < size:
        raise ValueError(f"a crop of {size} does not fit into a picture of {height} x {width}")
    along_x = width >= height
    spare = (width if along_x else height) - size
    offset = spare // 2 if crops == 1 else round(spare * crop / (crops - 1))
    other = ((height if along_x else width) - size) // 2
    top, left = (other, offset) if along_x else (offset, other)
    return pixels[:, :, top : top + size, left : left + size]
