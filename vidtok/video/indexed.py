"""What the further backends share: frames by index, held to the frame table that PyAV reads from the packets."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.types import Frames
from vidtok.video.opened import OpenVideo
from vidtok.video.orientation import Orientation
from vidtok.video.packets import PacketReader
from vidtok.video.resize import resized
from vidtok.video.rgb import scaled_size
from vidtok.video.table import FileFacts

ALIKE = 8.0
"""Grey levels between two decoders' first picture, on average: 10 bits differ by 2, another picture by tens."""


def read_facts(path: Path, *, timeout_seconds: float) -> FileFacts:
    """What PyAV reads in the packets and the first frame. Raises DecodeError where it finds no readable video."""
    with PacketReader(path, timeout_seconds=timeout_seconds) as video:
        return video.facts


class Uprighter:
    """Turns a decoder's pictures from how it gives them to how the file asks for them, told by its first picture.

    Decoders of FFmpeg's family look at the turns of a display matrix, not at its mirroring, and some at nothing.
    Raises DecodeError where the first picture is none of the four turns of the one that PyAV reads.
    """

    def __init__(self, path: Path, facts: FileFacts, picture: UInt8[Tensor, "c y x"]):
        self._orientation = facts.orientation
        self._turns = 0
        if facts.first_picture is not None:
            expected = facts.orientation.turns + 2 * facts.orientation.mirrored  # the angle of a matrix, by FFmpeg
            differences = {
                turns % 4: mean_difference(picture, torch.rot90(facts.first_picture, turns, dims=(1, 2)))
                for turns in range(expected, expected + 4)
            }
            self._turns = min(differences, key=differences.__getitem__)
            if not differences[self._turns] < ALIKE:
                raise DecodeError(
                    f"{path}: asks for turned pictures, and this decoder's are not turned in a known way; "
                    f"backend pyav reads it"
                )

    def __call__(self, picture: UInt8[Tensor, "c y x"]) -> UInt8[Tensor, "c y2 x2"]:
        if Orientation(turns=self._turns) == self._orientation:
            return picture
        return self._orientation.upright(torch.rot90(picture, -self._turns, dims=(1, 2)))


def mean_difference(one: UInt8[Tensor, "c y x"], other: UInt8[Tensor, "c y2 x2"]) -> float:
    """In grey levels; infinite between pictures of different sizes."""
    return float((one.float() - other.float()).abs().mean()) if one.shape == other.shape else math.inf


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
        start_seconds: float = 0.0,
    ):
        super().__init__(path, timeout_seconds=timeout_seconds)
        self.pts_seconds = pts_seconds
        self.fps = fps
        self.size = size
        self.start_seconds = start_seconds
        self.damaged = None

    @abstractmethod
    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        """The picture of this frame, upright, of any size; DecodeError where it cannot be had."""

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices. Raises as `PyAVReader.frames_at` does."""
        wanted = self.begin(indices)
        pixels = torch.empty((len(wanted), 3, *scaled_size(self.size, short_side)), dtype=torch.uint8)
        for row, (_, picture) in enumerate(self.each_at(wanted, short_side=short_side)):
            pixels[row] = picture
        return self.in_order(indices, pixels, wanted)

    def each_at(
        self, indices: Sequence[int], *, short_side: int | None = None
    ) -> Iterator[tuple[int, UInt8[Tensor, "c y x"]]]:
        """The pictures of `frames_at` one at a time. Raises as `PyAVReader.frames_at` does."""
        y, x = scaled_size(self.size, short_side)
        for index in self.begin(indices):
            self.check_deadline()
            picture = self._picture(index)
            if picture.shape[1:] != (y, x):
                (picture,) = resized(picture[None], y, x)
            yield index, picture.contiguous()
