"""Pictures as they come, from a file, a camera or the network: each once, in its order, with its time.

    clips/a.mp4              a file, decoded to its end; also a member of an archive, or a URL of a file
    /dev/video0              a camera, by Video4Linux
    rtsp://host:554/door     a stream; also rtsps, rtmp, srt, udp and tcp

Live sources do not wait: who reads them reads on, and leaves out what comes too fast.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.video.container import MOST_PIXELS
from vidtok.video.orientation import orientation_of
from vidtok.video.packets import PacketReader
from vidtok.video.rgb import RgbPictures, scaled_size
from vidtok.video.stream import every_frame

LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "srt", "udp", "tcp")
LIVE = re.compile(rf"({'|'.join(LIVE_SCHEMES)})://[^/].*", re.DOTALL)
USUAL_FPS = 30.0
"""Of a live source that does not say how many frames per second it has."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A decoded frame, and when it is shown."""

    frame: av.VideoFrame
    seconds: float
    """From the first frame's presentation time."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the upright picture."""
        return orientation_of(self.frame).size((self.frame.height, self.frame.width))


class Source:
    """An open source; iterate over it once, and close it. `is_live`: its frames come when they come.

    Raises DecodeError where there is none, where it has no video, when nothing comes for `timeout_seconds`, and, while
    it is read, where a file cannot be decoded to its end or a connection ends.
    """

    def __init__(self, where: str | Path, *, timeout_seconds: float = 10.0):
        self.name = hidden(str(where))
        self.timeout_seconds = timeout_seconds
        self.is_camera = is_camera(where)
        self.is_live = self.is_camera or is_live_url(where)
        self._reformatters: dict[int | None, VideoReformatter] = {}
        self._file: PacketReader | None = None
        self._container: InputContainer | None = None
        if self.is_live:
            self._container, self._stream = self._open_live(str(where))
            rate = self._stream.average_rate or self._stream.guessed_rate
            self.fps = float(rate) if rate else USUAL_FPS
            self.length_seconds: float | None = None
        else:
            if not Path(where).exists() and not re.match(r"[a-z][a-z0-9+]*:/", str(where)):
                raise DecodeError(f"{where}: no such file")
            self._file = PacketReader(where, timeout_seconds=max(timeout_seconds, 30.0))
            self.fps = self._file.fps
            self.length_seconds = len(self._file) / self.fps if self.fps else None

    def __iter__(self) -> Iterator[Shown]:
        return self._frames_of_file(self._file) if self._file is not None else self._live_frames()

    def picture(self, shown: Shown, short_side: int | None) -> UInt8[Tensor, "c y x"]:
        """RGB, upright, its shorter side scaled to so many pixels; None: as it is. Made as the readers make theirs."""
        frame = shown.frame
        made = RgbPictures(
            1,
            size=scaled_size((frame.height, frame.width), short_side),
            scaled=short_side is not None,
            reformatter=self._reformatters.setdefault(short_side, VideoReformatter()),
            orientation=orientation_of(frame),
        )
        made.put(0, frame)
        return made.upright()[0]

    def close(self) -> None:
        """Let go of the device, the connection or the file."""
        for opened in (self._file, self._container):
            if opened is not None:
                opened.close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _frames_of_file(self, file: PacketReader) -> Iterator[Shown]:
        first = float(file.pts_seconds[0])
        for index, frame in enumerate(every_frame(file)):
            yield Shown(frame=frame, seconds=float(file.pts_seconds[index]) - first)

    def _open_live(self, where: str) -> tuple[InputContainer, VideoStream]:
        options = {"rtsp_transport": "tcp"} if where.startswith("rtsp") else {}
        if self.is_camera and not Path(where).exists():
            there = ", ".join(str(path) for path in sorted(Path("/dev").glob("video*"))) or "there is none at all"
            raise DecodeError(f"{where}: no such camera; those of this machine: {there}")
        if self.is_camera and not stat.S_ISCHR(Path(where).stat().st_mode):
            raise DecodeError(f"{where}: is no camera, but {'a folder' if Path(where).is_dir() else 'a file'}")
        try:
            container = av.open(
                where,
                format="v4l2" if self.is_camera else None,
                timeout=self.timeout_seconds,
                options=options,
            )
        except (FFmpegError, OSError, ValueError) as error:
            raise DecodeError(f"{self.name}: cannot be opened: {self._cause(error)}") from error
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            container.close()
            raise DecodeError(f"{self.name}: has no video stream")
        codec = stream.codec_context
        if codec is None or codec.height * codec.width > MOST_PIXELS:
            container.close()
            raise DecodeError(f"{self.name}: its video cannot be decoded here, or claims pictures of impossible size")
        codec.thread_count = 1
        return container, stream

    def _live_frames(self) -> Iterator[Shown]:
        container, stream = self._container, self._stream
        assert container is not None
        begun, first, last = monotonic(), None, 0.0
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except InvalidDataError:  # a packet lost on its way spoils pictures until the next keyframe
                    continue
                for frame in frames:
                    assert isinstance(frame, av.VideoFrame)
                    clock = frame.time if frame.time is not None else monotonic() - begun
                    first = clock if first is None else first
                    last = max(last + 1e-6, clock - first)  # clocks of cameras are set back now and then
                    yield Shown(frame=frame, seconds=last)
        except (FFmpegError, OSError) as error:
            raise DecodeError(
                f"{self.name}: the connection was lost after {last:.1f} s of video: {self._cause(error)}"
            ) from error
        if first is None:
            raise DecodeError(f"{self.name}: no picture came")
        raise DecodeError(f"{self.name}: the stream ended after {last:.1f} s of video; the other side has closed it")

    def _cause(self, error: Exception) -> str:
        if isinstance(error, ExitError):
            return f"nothing came for {self.timeout_seconds:g} s"
        return getattr(error, "strerror", None) or type(error).__name__


def is_live_url(where: str | Path) -> bool:
    """Whether this is a stream of the network."""
    return LIVE.fullmatch(str(where)) is not None


def is_camera(where: str | Path) -> bool:
    """Whether this names a device, there or not."""
    return str(where).startswith("/dev/")


def hidden(where: str) -> str:
    """A source's name for messages and pictures: without the user's name and password."""
    return re.sub(r"(?<=://)[^/]*@", "", where)
