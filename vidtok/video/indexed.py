"""What the further backends share: frames by index, held to the frame table that PyAV reads from the packets."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from vidtok.types import Frames
from vidtok.video.opened import OpenVideo
from vidtok.video.packets import PacketReader
from vidtok.video.rgb import scaled_size
from vidtok.video.table import FileFacts


def read_facts(path: Path, *, timeout_seconds: float) -> FileFacts:
    """Read the packets once, with PyAV. Raises DecodeError where PyAV finds no readable video."""
    with PacketReader(path, timeout_seconds=timeout_seconds) as video:
        return video.facts


class IndexedReader(OpenVideo, ABC):
    """A `VideoReader` whose decoder is asked for one picture at a time, by rising index.

    Pictures are scaled by torchvision (bilinear, antialiased, on RGB), which differs from the `pyav` backend's scaling
    on the way to RGB by 1.5 grey levels on average. The deadline is looked at between pictures: a decoder that hangs
    inside of one is the data loader's to notice.
    """

    def __init__(
        self,
        path: Path,
        *,
        pts_seconds: Float64[Tensor, "n"],
        fps: float,
        size: tuple[int, int],
        timeout_seconds: float,
    ):
        super().__init__(path, timeout_seconds=timeout_seconds)
        self.pts_seconds = pts_seconds
        self.fps = fps
        self.size = size

    @abstractmethod
    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        """The picture of this frame, upright, of any size; DecodeError where it cannot be had."""

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices. Raises as `PyAVReader.frames_at` does."""
        wanted = self._begin(indices)
        pixels = torch.empty((len(wanted), 3, *scaled_size(self.size, short_side)), dtype=torch.uint8)
        for row, (_, picture) in enumerate(self.each_at(wanted, short_side=short_side)):
            pixels[row] = picture
        return self._asked(indices, pixels, wanted)

    def each_at(
        self, indices: Sequence[int], *, short_side: int | None = None
    ) -> Iterator[tuple[int, UInt8[Tensor, "c y x"]]]:
        """The pictures of `frames_at` one at a time. Raises as `PyAVReader.frames_at` does."""
        y, x = scaled_size(self.size, short_side)
        for index in self._begin(indices):
            self._in_time()
            picture = self._picture(index)
            if picture.shape[1:] != (y, x):
                picture = F.resize(picture, [y, x], antialias=True)
            yield index, picture.contiguous()
