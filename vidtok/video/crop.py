"""Boxes cut out of decoded frames by FFmpeg's filter graph: cropped and scaled as YUV, then turned into RGB."""

import av
import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from vidtok.types import Box
from vidtok.video.graph import FilterChain, kind
from vidtok.video.orientation import UPRIGHT, Orientation
from vidtok.video.rgb import packed_rgb


class CropPictures:
    """A row of pictures to be filled by `put`: the same box of each frame, mirrored and scaled to `size`.

        crop -> scale -> flip -> to RGB        one filter graph for a clip

    Luma and chroma are scaled each at its own resolution, with swscale's bilinear filter (antialiased), and turned into
    RGB by its quick converter, as pictures at the source's size are.

    Mean difference from `crop_resize` of these, in grey levels, with random boxes of 8 to 100 % of the picture:

        4:2:0 and 4:2:2, limited or full range      0.2 to 2.3 on real videos, 2.5 where colours are strong
        4:4:4, grey, RGB                            0.6
        10 bits                                     2.0
        pictures scaled to the stream's first size  3.2

    without bias (0.3; 10 bits 1.6, for which swscale has two converters). Single values differ by tens at the edges of
    colours, and in the last column and row of a box that cuts through shared chroma.
    """

    def __init__(self, count: int, *, box: Box, size: int | tuple[int, int], orientation: Orientation = UPRIGHT):
        self._box = box
        self._size = orientation.size((size, size) if isinstance(size, int) else size)  # on its side until `upright`
        self._array = np.empty((count, *self._size, 3), np.uint8)
        self._orientation = orientation
        self._chains: dict[object, FilterChain] = {}

    def put(self, row: int, frame: av.VideoFrame) -> None:
        if kind(frame) not in self._chains:
            self._chains[kind(frame)] = self._chain(frame)
        self._array[row] = packed_rgb(self._chains[kind(frame)](frame))

    def upright(self) -> UInt8[Tensor, "f c y x"]:
        pixels = rearrange(torch.from_numpy(self._array), "f y x c -> f c y x")
        # What of mirroring can be done before the turns is done by the filters.
        pixels = Orientation(turns=self._orientation.turns).upright(pixels)
        return pixels.flip(3) if self._box.flip and self._orientation.turns % 2 else pixels

    def _chain(self, frame: av.VideoFrame) -> FilterChain:
        box = self._orientation.coded_box(self._box, size=(frame.height, frame.width))
        place = {"x": str(box.left), "y": str(box.top), "w": str(box.width), "h": str(box.height), "exact": "1"}
        rows, columns = self._array.shape[1:3]
        filters: list[tuple[str, dict[str, str]]] = []
        cropped = frame.format
        if not crops_exactly(cropped):
            cropped = av.VideoFormat("yuv444p")
            filters += [("scale", {"flags": "bilinear"}), ("format", {"pix_fmts": cropped.name})]
        filters += [
            ("crop", place),
            ("scale", {"w": str(columns), "h": str(rows), "flags": "bilinear", **chroma_place(cropped, box)}),
            ("format", {"pix_fmts": cropped.name}),
        ]
        colours = [("scale", {"flags": "bilinear"}), ("format", {"pix_fmts": "rgb24"})]
        if self._orientation.mirrored != (box.flip and self._orientation.turns % 2 == 0):
            # Planes of bytes are mirrored several times faster than RGB, but for columns that share their chroma with
            # none on the other side.
            whole = columns % (1024 // cropped.chroma_width(1024)) == 0
            filters += [("hflip", {}), *colours] if whole else [*colours, ("hflip", {})]
        else:
            filters += colours
        return FilterChain(frame, *filters)


def crops_exactly(pixel_format: av.VideoFormat) -> bool:
    """Whether the filter `crop` can begin at any column: with shared chroma, it wants a plane of bytes for each colour.

    It counts the columns of shared chroma in bytes, and cuts samples in half where these are wider than a byte.
    """
    if pixel_format.chroma_width(1024) == 1024:
        return True
    components = pixel_format.components
    return all(c.bits == 8 for c in components) and len({c.plane for c in components}) == len(components)


def chroma_place(pixel_format: av.VideoFormat, box: Box) -> dict[str, str]:
    """Where the first chroma sample stands, in 1/256 of a luma sample from the box's first, as options of `scale`.

        luma     0  1 | 2  3 | 4  5 |      a box from column 1 on gets chroma 0 as its first, which stands between
        chroma     0  |   1  |   2  |      columns 0 and 1, half a column before the box

    In the middle of the luma samples that share it, as for the converter to RGB at the source's size.
    """
    place = {}
    for option, first, shared in (
        ("in_h_chr_pos", box.left, 1024 // pixel_format.chroma_width(1024)),
        ("in_v_chr_pos", box.top, 1024 // pixel_format.chroma_height(1024)),
    ):
        if shared > 1:
            place[option] = str(128 * (shared - 1) - 256 * (first % shared))
    return place
