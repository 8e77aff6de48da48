"""The backend `torchcodec`: PyTorch's own decoder, for those who have FFmpeg's shared libraries."""

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from vidtok.errors import ConfigError, DecodeError
from vidtok.video.indexed import IndexedReader, Uprighter, read_facts
from vidtok.video.source import is_stored, stored_content
from vidtok.video.table import FileFacts

SAME_TIME_SECONDS = 1e-4  # of one frame, by two readers; frames at 240 per second lie 4e-3 apart

HOW_TO_GET = (
    "pip install vidtok[torchcodec], and FFmpeg's shared libraries, version 4 or later (Debian and Ubuntu: "
    "apt install ffmpeg; conda: conda install ffmpeg). `backend`=pyav needs neither."
)


def check_torchcodec() -> None:
    """Raises ConfigError, which says what is missing and how to get it, where torchcodec cannot decode."""
    try:
        with _missing_named():
            _video_decoder()(b"")
    except (RuntimeError, ValueError):
        return  # it decodes, and has told that nothing is no video


def _video_decoder() -> Any:
    with _missing_named():
        return importlib.import_module("torchcodec.decoders").VideoDecoder


@contextmanager
def _missing_named() -> Iterator[None]:
    """torchcodec says that it has no FFmpeg, or no fitting torch, on import or only at the first video."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"`backend`=torchcodec: torchcodec is not installed ({error}): {HOW_TO_GET}") from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "libtorchcodec" not in str(error):
            raise
        cause = re.split(r"\. Likely causes|\n", str(error).strip())[0]
        raise ConfigError(f"`backend`=torchcodec: its libraries do not load ({cause}): {HOW_TO_GET}") from error


class TorchCodecReader(IndexedReader):
    """An open video, one decoder thread. See `VideoReader`.

    Pictures at the source's size equal those of the `pyav` backend. Each picture's time is compared with the packets':
    a wrong frame is a DecodeError. Refused: transport and program streams, and files without a time for each frame (AVI
    with B-frames). torchcodec finds frames by seeking to their times, and gives wrong ones there, some of them with the
    right time.
    """

    def __init__(self, path: str | Path, *, timeout_seconds: float = 30.0):
        path = Path(path)
        decoder = _video_decoder()
        facts = read_facts(path, timeout_seconds=timeout_seconds)
        _refuse_wrong_seeks(path, facts)
        name = str(path.absolute())
        # A name that is not UTF-8 does not reach the library; it then reads the file from memory.
        source = name if name.encode(errors="ignore").decode() == name else path.read_bytes()
        if is_stored(path):
            source = stored_content(path, timeout_seconds=timeout_seconds)
        with _missing_named(), _named(path):
            self._decoder: Any = decoder(source, stream_index=facts.stream_index, num_ffmpeg_threads=1)
        size = (self._decoder.metadata.height, self._decoder.metadata.width)
        self._upright = None
        if facts.first_picture is not None:
            with _named(path):
                first = self._decoder.get_frame_at(0).data
            self._upright = Uprighter(path, facts, first)
            y, x = self._upright(first).shape[1:]
            size = (y, x)
        super().__init__(
            path,
            pts_seconds=facts.pts_seconds,
            fps=facts.fps,
            size=size,
            timeout_seconds=timeout_seconds,
            start_seconds=facts.start_seconds,
        )

    def close(self) -> None:
        super().close()
        self._decoder = None

    def _picture(self, index: int) -> UInt8[Tensor, "c y x"]:
        with _named(self.path):
            frame = self._decoder.get_frame_at(index)
        expected = float(self.pts_seconds[index])
        if abs(frame.pts_seconds - expected) > SAME_TIME_SECONDS:
            raise DecodeError(
                f"{self.path}: as frame {index}, shown at {expected:.4f} s, torchcodec gives the one of "
                f"{frame.pts_seconds:.4f} s; `backend`=pyav reads it"
            )
        return frame.data if self._upright is None else self._upright(frame.data)


def _refuse_wrong_seeks(path: Path, facts: FileFacts) -> None:
    if facts.without_times:
        cause = f"a file whose packets give no usable times ({facts.container})"
    elif facts.container in {"mpegts", "mpeg"}:
        cause = f"a {'transport' if facts.container == 'mpegts' else 'program'} stream ({facts.container})"
    else:
        return
    raise DecodeError(f"{path}: is {cause}, in which torchcodec finds wrong frames; `backend`=pyav reads it")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        if "libtorchcodec" in str(error):
            raise
        # Its messages begin with the place in its source: `function, /path/file.cpp:12, cause`.
        cause = re.sub(r"^\w+, \S+:\d+, ", "", str(error).strip()).split("\n")[0]
        raise DecodeError(f"{path}: torchcodec: {cause}") from error
