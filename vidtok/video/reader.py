"""Opening a video: one protocol, one file per backend."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float64
from torch import Tensor

from vidtok.types import Frames
from vidtok.video.decord import DecordReader, check_decord
from vidtok.video.frames import FramesReader
from vidtok.video.pyav import PyAVReader
from vidtok.video.torchcodec import TorchCodecReader, check_torchcodec


@runtime_checkable
class VideoReader(Protocol):
    """An open video. Frames are named by their index in presentation order, never by seconds."""

    @property
    def path(self) -> Path: ...

    @property
    def pts_seconds(self) -> Float64[Tensor, "n"]:
        """Presentation time of every frame in seconds, rising; its length is the number of frames."""
        ...

    @property
    def fps(self) -> float:
        """Average frames per second."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture, after the rotation that the file asks for."""
        ...

    def __len__(self) -> int: ...

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices (any order, repeats allowed), scaled to `short_side` pixels on the shorter side.

        Raises DecodeError, which names the file and the cause, for a frame that is not there or cannot be decoded.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> "VideoReader": ...

    def __exit__(self, *error: object) -> None: ...


BACKENDS: dict[str, Callable[..., VideoReader]] = {
    "pyav": PyAVReader,
    "torchcodec": TorchCodecReader,
    "decord": DecordReader,
    "frames": FramesReader,
}


def check_backend(backend: str) -> None:
    """Raises ConfigError, which says how to mend it, where this backend cannot be loaded on this machine."""
    if backend == "torchcodec":
        check_torchcodec()
    elif backend == "decord":
        check_decord()


def open_video(
    path: str | Path, *, backend: str = "pyav", timeout_seconds: float = 30.0, fps: float | int | None = None
) -> VideoReader:
    """Open a video for reading; use it as a context manager, which closes it in every case.

    Open it in the process that reads it: a decoder does not survive a fork. `timeout_seconds` bounds the opening
    and each `frames_at` by itself. `fps` is for folders of pictures (backend `frames`), which have no times; 25 where
    it is not given. Raises DecodeError for a file that is not a readable video, or too slow; ConfigError for a backend
    that cannot be loaded; ValueError for an unknown one, and for `fps` beside a backend whose files say their own.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend is called {backend!r}; there are: {', '.join(BACKENDS)}")
    if fps is None:
        return BACKENDS[backend](path, timeout_seconds=timeout_seconds)
    if backend != "frames":
        raise ValueError(f"fps={fps:g} is for folders of pictures: backend {backend!r} reads the times of the file")
    return FramesReader(path, fps=fps, timeout_seconds=timeout_seconds)
