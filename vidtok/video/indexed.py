"""What the further backends share: frames by index, held to the frame table that PyAV reads from the packets."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch
from av.stream import Disposition
from jaxtyping import Float64, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from vidtok.errors import DecodeError
from vidtok.types import Frames
from vidtok.video.pyav import PyAVReader
from vidtok.video.rgb import scaled_size


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What the packets of a file say: the truth that every decoder is held to."""

    pts_seconds: Float64[Tensor, "n"]
    fps: float
    container: str
    """FFmpeg's name of it, such as `mpegts`."""
    stream_index: int
    """Of the best video stream, among all streams of the file."""
    video_streams: int
    """Cover pictures are none."""
    without_times: bool
    """The packets give no usable time for each frame; frames are told by their order."""


def read_facts(path: Path, *, timeout_seconds: float) -> FileFacts:
    """Read the packets once, with PyAV. Raises DecodeError where PyAV finds no readable video."""
    with PyAVReader(path, timeout_seconds=timeout_seconds) as video:
        streams = video._container.streams.video
        return FileFacts(
            pts_seconds=video.pts_seconds,
            fps=video.fps,
            container=video._container.format.name,
            stream_index=video._stream.index,
            video_streams=sum(not stream.disposition & Disposition.attached_pic for stream in streams),
            without_times=video._table.by_order,
        )


class IndexedReader(ABC):
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
        self.path = path
        self.pts_seconds = pts_seconds
        self.fps = fps
        self.size = size
        self.timeout_seconds = timeout_seconds
        self._process = os.getpid()
        self._closed = False

    @abstractmethod
    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        """The picture of this frame, upright, of any size; DecodeError where it cannot be had."""

    def __len__(self) -> int:
        return len(self.pts_seconds)

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices. Raises as `PyAVReader.frames_at` does."""
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.path} was opened by process {self._process}: open it in the worker that reads it"
            )
        if self._closed:
            raise RuntimeError(f"{self.path} is closed")
        beyond = [index for index in indices if not 0 <= index < len(self)]
        if beyond:
            raise DecodeError(f"{self.path}: has frames 0 to {len(self) - 1}, asked for {beyond[0]}")
        self._deadline = monotonic() + self.timeout_seconds
        wanted = sorted(set(indices))
        y, x = scaled_size(self.size, short_side)
        pixels = torch.empty((len(wanted), 3, y, x), dtype=torch.uint8)
        for row, index in enumerate(wanted):
            self._in_time()
            picture = self._picture(index)
            pixels[row] = picture if picture.shape[1:] == (y, x) else F.resize(picture, [y, x], antialias=True)
        place = {index: row for row, index in enumerate(wanted)}
        rows = torch.tensor([place[index] for index in indices], dtype=torch.int64)
        at = torch.tensor(list(indices), dtype=torch.int64)
        return Frames(pixels=pixels if list(indices) == wanted else pixels[rows], pts_seconds=self.pts_seconds[at])

    def _in_time(self) -> None:
        if monotonic() > self._deadline:
            raise DecodeError(f"{self.path}: not read within {self.timeout_seconds:g} s")

    def close(self) -> None:
        self._closed = True

    def __enter__(self) -> "IndexedReader":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
