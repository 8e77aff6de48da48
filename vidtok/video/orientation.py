"""Which of the eight ways of lying a picture is coded in, and how it is put upright."""

import math
from dataclasses import dataclass

import av
import numpy as np
import torch
from jaxtyping import Int32, UInt8
from torch import Tensor

from vidtok.types import Box


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """A coded picture becomes upright by mirroring it left to right, where `mirrored`, and `turns` quarter turns then.

    The turns are counter-clockwise, 0 to 3. Mirrored top to bottom is `mirrored` with two of them.
    """

    turns: int = 0
    mirrored: bool = False

    def size(self, coded: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the upright picture."""
        y, x = coded
        return (x, y) if self.turns % 2 else (y, x)

    def upright(self, pixels: UInt8[Tensor, "*axes y x"]) -> UInt8[Tensor, "*axes y2 x2"]:
        """Pictures as they are looked at; not copied where they lie so already."""
        if self.mirrored:
            pixels = pixels.flip(-1)
        return torch.rot90(pixels, self.turns, dims=(-2, -1)) if self.turns else pixels

    def coded_box(self, box: Box, *, size: tuple[int, int]) -> Box:
        """A box of the upright picture in the coded one, of `size` (rows, columns)."""
        rows, columns = size
        bottom, right = box.top + box.height, box.left + box.width
        top, left = [
            (box.top, box.left),
            (box.left, columns - bottom),
            (rows - bottom, columns - right),
            (rows - right, box.top),
        ][self.turns]
        height, width = (box.width, box.height) if self.turns % 2 else (box.height, box.width)
        if self.mirrored:
            left = columns - left - width
        return Box(top=top, left=left, height=height, width=width, flip=box.flip)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """What the metadata of a decoded frame ask for."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV refuses all side data of a frame where one piece is of a kind newer than itself, as stereo video has; its
        # own angle is read past that table. Of a mirrored picture it tells the turn alone.
        return Orientation(turns=round(frame.rotation / 90) % 4)
    return UPRIGHT if data is None else matrix_orientation(np.frombuffer(bytes(data), np.int32))


def matrix_orientation(matrix: Int32[np.ndarray, "9"]) -> Orientation:
    """The nearest of the eight to a display matrix (ISO/IEC 14496-12, section 6.2.2), which may turn by any angle.

        column p, row q of the coded picture are shown at column a p + c q and row b p + d q, from       a b u
        wherever the picture begins; the determinant a d - b c is below zero where it is mirrored        c d v
                                                                                                         x y w

    A matrix that flattens the picture to a line says nothing.
    """
    a, b, c, d = (int(matrix[place]) for place in (0, 1, 3, 4))
    determinant = a * d - b * c
    if determinant == 0:
        return UPRIGHT
    if determinant < 0:  # what is left when the coded picture was mirrored before
        a, b = -a, -b
    clockwise = math.atan2(b - c, a + d)  # of the nearest rotation
    return Orientation(turns=round(-2 * clockwise / math.pi) % 4, mirrored=determinant < 0)
