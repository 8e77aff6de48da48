"""What every open video looks after: the process that it belongs to, its end, the indices it has, and its deadline."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.types import Frames


class OpenVideo:
    """The part of a `VideoReader` that does not depend on how pictures are decoded."""

    pts_seconds: Float64[Tensor, "n"]
    start_seconds: float
    damaged: frozenset[int] | None

    def __init__(self, path: Path, *, timeout_seconds: float):
        self.path = path
        self.timeout_seconds = timeout_seconds
        self._process = os.getpid()
        self._closed = False
        self.renew_deadline()

    def __len__(self) -> int:
        return len(self.pts_seconds)

    def close(self) -> None:
        self._closed = True

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin(self, indices: Sequence[int], *, end: str = "") -> list[int]:
        """The indices without repeats, by rising value, and a new deadline. `end` says why the video has no more.

        Raises DecodeError for an index that the video does not have; RuntimeError once closed, and in a process other
        than the one that opened the video.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.path} was opened by process {self._process}: open it in the worker that reads it"
            )
        if self._closed:
            raise RuntimeError(f"{self.path} is closed")
        wanted = sorted(set(indices))
        beyond = [index for index in (*wanted[:1], *wanted[-1:]) if not 0 <= index < len(self)]
        if beyond:
            raise DecodeError(f"{self.path}: has frames 0 to {len(self) - 1}{end}, asked for {beyond[0]}")
        self.renew_deadline()
        return wanted

    def renew_deadline(self) -> None:
        """From now on there are `timeout_seconds` until the next picture must be there."""
        self._deadline = monotonic() + self.timeout_seconds

    def check_deadline(self) -> None:
        if monotonic() > self._deadline:
            raise DecodeError(f"{self.path}: not read within {self.timeout_seconds:g} s")

    def in_order(self, indices: Sequence[int], pixels: UInt8[Tensor, "u c y x"], wanted: list[int]) -> Frames:
        """The pictures of `wanted`, rising indices, in the order in which they were asked for."""
        indices = list(indices)
        pts_seconds = self.pts_seconds[torch.tensor(indices, dtype=torch.int64)]
        if indices == wanted:
            return Frames(pixels=pixels, pts_seconds=pts_seconds)
        row = {index: i for i, index in enumerate(wanted)}
        rows = torch.tensor([row[index] for index in indices], dtype=torch.int64)
        return Frames(pixels=pixels[rows], pts_seconds=pts_seconds)
