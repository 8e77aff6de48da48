"""Opening a video: one protocol, one file per backend."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float64, UInt8
from torch import Tensor

from vidtok.types import Frames
from vidtok.video.decord import DecordReader, check_decord
from vidtok.video.frames import DEFAULT_FPS, FramesReader, holds_pictures
from vidtok.video.pyav import PyAVReader
from vidtok.video.torchcodec import TorchCodecReader, check_torchcodec

READ_SECONDS = 30.0
"""What opening a video may take, and each reading of frames, where nobody says otherwise."""


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
    def start_seconds(self) -> float:
        """Where the file's clock begins: a frame is shown so many seconds before its presentation time.

        The first presentation of any of its streams: 1.4 in many transport streams; 0 in a file whose sound begins at 0
        and whose pictures begin later.
        """
        ...

    @property
    def fps(self) -> float:
        """Average frames per second."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture, upright."""
        ...

    @property
    def damaged(self) -> frozenset[int] | None:
        """Frames given so far that damage in the file has spoiled; None from a decoder that cannot tell."""
        ...

    def __len__(self) -> int: ...

    def frames_at(self, indices: Sequence[int], *, short_side: int | None = None) -> Frames:
        """Pictures at these indices (any order, repeats allowed), scaled to `short_side` pixels on the shorter side.

        Raises DecodeError, which names the file and the cause, for a frame that is not there or cannot be decoded.
        """
        ...

    def each_at(
        self, indices: Sequence[int], *, short_side: int | None = None
    ) -> Iterator[tuple[int, UInt8[Tensor, "c y x"]]]:
        """The pictures of `frames_at` one at a time, each with its index: by rising index, without repeats.

        A picture's memory may be the next one's too, and a picture may come again: then only the later one is right.
        """
        ...

    def renew_deadline(self) -> None:
        """Give the next picture of `each_at` as much time as all of them were given at the beginning."""
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
    path: str | Path, *, backend: str = "pyav", timeout_seconds: float = READ_SECONDS, fps: float | int | None = None
) -> VideoReader:
    """Open a video for reading; use it as a context manager, which closes it in every case.

    A folder of pictures or a single picture is read by `FramesReader` whatever the backend (see `holds_pictures`); any
    other file by the backend, of which `frames` takes every file for a picture. Members of tar archives and URLs are
    paths as well: see `vidtok.video.source`. Open it in the process that reads it: a decoder does not survive a fork.
    `timeout_seconds` bounds the opening and each `frames_at` by itself. `fps` is the rate of pictures, which have no
    times; 25 where it is not given.

    Raises DecodeError for what is not a readable video, or too slow; ConfigError for a backend that cannot be loaded;
    ValueError for an unknown one, and for `fps` beside a video file, which says its own.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend is called {backend!r}; there are: {', '.join(BACKENDS)}")
    path = Path(path)
    if backend == "frames" or holds_pictures(path):
        return FramesReader(path, fps=DEFAULT_FPS if fps is None else fps, timeout_seconds=timeout_seconds)
    if fps is not None:
        raise ValueError(f"fps={fps:g} is for pictures, which have no times: {path} is a video, and says its own")
    return BACKENDS[backend](path, timeout_seconds=timeout_seconds)
