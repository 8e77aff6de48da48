"""The backend `decord`: many published protocols were run with it. Its last release is of 2021."""

import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from vidtok.errors import ConfigError, DecodeError
from vidtok.video.indexed import IndexedReader, Uprighter, read_facts
from vidtok.video.source import is_stored, stored_content

RECOVERED_FRAMES = 1e-9  # share of the frames that decord may replace by their neighbours: not one


def check_decord() -> None:
    """Raises ConfigError where decord cannot be loaded."""
    _decord()


def _decord() -> Any:
    try:
        return importlib.import_module("decord")
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"`backend`=decord: decord does not load ({error}). It is made for Linux on x86-64 only, where "
            f"pip install decord gets it; `backend`=pyav works everywhere."
        ) from error


class DecordReader(IndexedReader):
    """An open video, one decoder thread. See `VideoReader`.

    Frames are counted from the start of the stream, without a jump: after jumps decord gives other frames than it was
    asked for in files with open groups of pictures, variable rates and edit lists, and in AVI and transport streams.
    A frame that decord could only replace by its neighbour is a DecodeError.

    Pictures at the source's size equal those of the `pyav` backend for 8 bits and even sizes; 10 bits differ, and so
    does VP9 of odd size. Not read: AV1, most transport streams, streams without a duration, several video streams,
    pictures under 32 pixels wide.
    decord can hang for ever on damage within the frames, without heeding `timeout_seconds`.
    """

    def __init__(self, path: str | Path, *, timeout_seconds: float = 30.0):
        path = Path(path)
        self._decord = _decord()
        self._timeout_seconds = timeout_seconds
        facts = read_facts(path, timeout_seconds=timeout_seconds)
        if facts.video_streams > 1:
            raise DecodeError(
                f"{path}: has {facts.video_streams} video streams, of which decord may read another than the best; "
                f"`backend`=pyav reads it"
            )
        self.path = path
        self._open()
        if len(self._decoder) < len(facts.pts_seconds):
            raise DecodeError(
                f"{path}: decord counts {len(self._decoder)} frames, the file has {len(facts.pts_seconds)}; "
                f"`backend`=pyav reads it"
            )
        first = rearrange(self._next(), "y x c -> c y x")
        self._upright = Uprighter(path, facts, first)
        y, x = self._upright(first).shape[1:]
        super().__init__(
            path,
            pts_seconds=facts.pts_seconds,
            fps=facts.fps,
            size=(y, x),
            timeout_seconds=timeout_seconds,
            start_seconds=facts.start_seconds,
        )

    def close(self) -> None:
        super().close()
        self._decoder = self._last = None

    def _open(self) -> None:
        name = str(self.path.absolute())
        # A name that is not UTF-8 does not reach the library; it then reads the file from memory.
        source = name if name.encode(errors="ignore").decode() == name else io.BytesIO(self.path.read_bytes())
        if is_stored(self.path):
            source = io.BytesIO(stored_content(self.path, timeout_seconds=self._timeout_seconds))
        with _named(self.path, self._decord):
            self._decoder: Any = self._decord.VideoReader(source, num_threads=1, fault_tol=RECOVERED_FRAMES)
        self._given = 0

    def _next(self) -> UInt8[Tensor, "y x c"]:
        with _named(self.path, self._decord), self._decord.bridge.use_torch():
            self._last: Any = self._decoder.next()
        self._given += 1
        if self._last.shape[2] != 3:
            raise DecodeError(f"{self.path}: decord: pictures as narrow as these come out with rows of a wrong length")
        return self._last

    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        if index < self._given - 1:
            self._open()
        while self._given <= index:
            self.check_deadline()
            self._next()
        return self._upright(rearrange(self._last, "y x c -> c y x"))


@contextmanager
def _named(path: Path, decord: Any) -> Iterator[None]:
    """decord's own errors, whose text is a C++ stack trace with the cause in its first line, name the file."""
    own = (decord.DECORDError, decord.DECORDLimitReachedError)
    try:
        yield
    except (*own, RuntimeError, AssertionError, IndexError, StopIteration) as error:
        cause = re.sub(r"^(\[\d\d:\d\d:\d\d\] \S+:\d+: )+", "", str(error).strip()).split("\n")[0]
        raise DecodeError(f"{path}: decord: {cause or type(error).__name__}") from error
