"""Decoded frames to YUV pictures of one size, for an encoder."""

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from vidtok.video.graph import WholePictures
from vidtok.video.orientation import UPRIGHT, Orientation, orientation_of
from vidtok.video.rgb import EXACT

GREY = ("gray", "ya")  # how the formats without colour begin, which FFmpeg takes as full range


class YuvPictures:
    """Pictures in yuv420p, upright, scaled to `size` (rows, columns), with the colours tagged as the frames' are.

    Scaling uses the filter of `RgbPictures`. RGB becomes BT.601 in limited range, grey full range; 10 bits become 8.
    What the first frame says of its orientation and range goes for all.
    """

    def __init__(self, size: tuple[int, int]):
        self._size = size
        self._reformatter = VideoReformatter()
        self._whole_pictures = WholePictures()
        self._first: tuple[Orientation, ColorRange] | None = None

    def convert(self, frame: av.VideoFrame) -> av.VideoFrame:
        rgb = frame.format.is_rgb or frame.format.has_palette
        full = frame.format.name.startswith((*GREY, "yuvj"))
        if self._first is None:
            own = ColorRange.MPEG if rgb else ColorRange.JPEG if full else ColorRange(frame.color_range)
            self._first = orientation_of(frame), own
        orientation, color_range = self._first
        y, x = orientation.size(self._size)  # turning back swaps them as turning does
        picture = self._reformatter.reformat(
            self._whole_pictures(frame),
            width=x,
            height=y,
            format="yuv420p",
            interpolation=EXACT,
            threads=1,
            dst_colorspace=Colorspace.ITU601 if rgb else None,
            src_color_range=ColorRange.JPEG if full else None,
            dst_color_range=color_range,
        )
        return picture if orientation == UPRIGHT else _upright(picture, orientation)


def _upright(picture: av.VideoFrame, orientation: Orientation) -> av.VideoFrame:
    y, x = picture.height, picture.width
    flat = np.asarray(picture.to_ndarray(), np.uint8).reshape(-1)
    luma, *chroma = np.split(flat, [y * x, y * x + y * x // 4])
    planes = [luma.reshape(y, x), *(plane.reshape(y // 2, x // 2) for plane in chroma)]
    y, x = orientation.size((y, x))
    flat = np.concatenate([orientation.upright(torch.from_numpy(plane)).reshape(-1).numpy() for plane in planes])
    return _tagged_as(av.VideoFrame.from_ndarray(flat.reshape(y * 3 // 2, x), format="yuv420p"), picture)


def _tagged_as(picture: av.VideoFrame, other: av.VideoFrame) -> av.VideoFrame:
    picture.colorspace, picture.color_range = other.colorspace, other.color_range
    picture.color_primaries, picture.color_trc = other.color_primaries, other.color_trc
    return picture
