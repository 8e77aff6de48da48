"""Decoded frames to RGB pictures of one size."""

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from vidtok.types import Box
from vidtok.video.orientation import UPRIGHT, Orientation

EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND


def scaled_size(size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Rows and columns with the shorter side scaled to `short_side`, the longer rounded down as torchvision does."""
    if short_side is None:
        return size
    if short_side < 1:
        raise ValueError(f"short_side counts pixels from 1, got {short_side}")
    y, x = size
    return (short_side, short_side * x // y) if y <= x else (short_side * y // x, short_side)


def packed_rgb(picture: av.VideoFrame) -> UInt8[np.ndarray, "y x 3"]:
    """The memory of a picture in rgb24, whose lines end in a margin; as long as the picture lives."""
    (plane,) = picture.planes
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(picture.height, plane.line_size)
    return lines[:, : 3 * picture.width].reshape(picture.height, picture.width, 3)


def copy_planes(picture: av.VideoFrame, out: UInt8[np.ndarray, "3 y x"]) -> None:
    """Copy planar RGB, which FFmpeg keeps as green, blue, red; its lines end in a margin."""
    _, y, x = out.shape
    for channel, plane in zip((1, 2, 0), picture.planes, strict=True):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(y, plane.line_size)
        out[channel] = lines[:, :x]


class RgbPictures:
    """A row of pictures to be filled by `put`, each scaled to `size` (rows, columns) on its way to RGB.

    Scaling uses swscale's bilinear filter, which widens with the ratio (antialiased), into planar RGB with exact
    rounding: 0.4 grey levels mean difference from the formula, without bias. At the source's own size, swscale's
    quick converter to packed RGB is taken: each chroma sample repeated, rounded down (on average 0.9 levels dark).
    Of pictures at that size, `box` keeps only a part, before they are turned upright.
    """

    def __init__(
        self,
        count: int,
        *,
        size: tuple[int, int],
        scaled: bool,
        reformatter: VideoReformatter,
        orientation: Orientation = UPRIGHT,
        box: Box | None = None,
    ):
        if scaled and box is not None:
            raise ValueError("a box is kept of pictures at their own size, not of scaled ones")
        self._size = size
        self._scaled = scaled
        self._reformatter = reformatter
        y, x = size
        self._box = Box(top=0, left=0, height=y, width=x) if box is None else box
        y, x = self._box.height, self._box.width
        self._array = np.empty((count, 3, y, x) if scaled else (count, y, x, 3), np.uint8)
        self._orientation = orientation

    def put(self, row: int, frame: av.VideoFrame) -> None:
        y, x = self._size
        if self._scaled:
            rgb = self._reformatter.reformat(frame, width=x, height=y, format="gbrp", interpolation=EXACT, threads=1)
            copy_planes(rgb, self._array[row])
        else:
            rgb = self._reformatter.reformat(
                frame, width=x, height=y, format="rgb24", interpolation=Interpolation.BILINEAR, threads=1
            )
            box = self._box
            whole = packed_rgb(rgb)
            self._array[row] = whole[box.top : box.top + box.height, box.left : box.left + box.width]

    def upright(self) -> UInt8[Tensor, "f c y x"]:
        pixels = torch.from_numpy(self._array)
        if not self._scaled:
            pixels = rearrange(pixels, "f y x c -> f c y x")
        return self._orientation.upright(pixels)
