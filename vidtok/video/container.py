"""Opening a file with FFmpeg: its container and the video stream that counts."""

from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from vidtok.errors import DecodeError
from vidtok.video.source import is_stored, open_stored

# A picture of one colour is small in a file, whatever size it claims: 8K for both eyes has 67 million.
MOST_PIXELS = 2**27

# Codecs of which an ISO file (mp4, mov) tells all that is needed before decoding.
TOLD_BY_HEADER = {"h264"}
NO_DECODERS = {"codec_whitelist": "none"}  # for FFmpeg's own look at the stream; ours is not bound by it

# Titles in another encoding than UTF-8 fail to open without it; PyAV 19 has no such switch any more, and needs none.
IGNORE_METADATA_ERRORS: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "ignore"}
)


def open_container(path: Path, *, timeout_seconds: float, probe: bool) -> tuple[InputContainer, VideoStream, bool]:
    """The container, its best video stream, and whether FFmpeg has looked at the frames, as it does with `probe`.

    Without, it looks at them where the header does not tell all that is needed; that takes milliseconds. Raises
    DecodeError where there is no video stream, no decoder for it, or pictures of a size that nothing has, and what
    FFmpeg and the file system raise.
    """
    if not probe and _is_iso(path, timeout_seconds=timeout_seconds):
        container, stream = _open_with(NO_DECODERS, path, timeout_seconds=timeout_seconds)
        if told_by_header(container, stream):
            return container, stream, False
        container.close()
    return *_open_with({}, path, timeout_seconds=timeout_seconds), True


def _is_iso(path: Path, *, timeout_seconds: float) -> bool:
    if not is_stored(path):
        return is_iso(path)
    with open_stored(path, timeout_seconds=timeout_seconds) as file:
        return begins_as_iso(file.read(8))


def _open_with(options: dict[str, str], path: Path, *, timeout_seconds: float) -> tuple[InputContainer, VideoStream]:
    # Absolute, because FFmpeg takes `name:rest` for a protocol.
    file: Any = str(path.absolute())
    if is_stored(path):
        file = open_stored(path, timeout_seconds=timeout_seconds)
    container = av.open(
        file,
        timeout=timeout_seconds,
        options=options,
        **IGNORE_METADATA_ERRORS,
    )
    try:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise DecodeError(f"{path}: has no video stream")
        if stream.codec_context is None:
            raise DecodeError(f"{path}: FFmpeg has no decoder for its video stream")
        y, x = stream.codec_context.height, stream.codec_context.width
        if y * x > MOST_PIXELS:
            raise DecodeError(f"{path}: claims pictures of {x} x {y} pixels; {MOST_PIXELS} are read at most")
        # Pictures can grow in mid-stream; FFmpeg counts the margins that it adds, too.
        stream.codec_context.options = {"max_pixels": str(2 * MOST_PIXELS)}
    except BaseException:
        container.close()
        raise
    return container, stream


def is_iso(path: Path) -> bool:
    """Whether the file begins as files of the ISO base media format do (ISO/IEC 14496-12, section 4.3)."""
    if not path.is_file():  # opening a pipe would wait for its writer
        return False
    with open(path, "rb") as file:
        return begins_as_iso(file.read(8))


def begins_as_iso(head: bytes) -> bool:
    return head[4:] == b"ftyp"


def told_by_header(container: InputContainer, stream: VideoStream) -> bool:
    """Whether decoding can begin without a look at the frames: one video stream, its codec and its size are known.

    With several streams, how many frames of each were seen tells which is the best.
    """
    codec = stream.codec_context
    return len(container.streams.video) == 1 and codec.name in TOLD_BY_HEADER and codec.width > 0 and codec.height > 0
