"""Whether a video can be decoded to its end, and what it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float64
from torch import Tensor

from vidtok.errors import DecodeError
from vidtok.video.frames import FramesReader
from vidtok.video.packets import PacketReader
from vidtok.video.reader import VideoReader, open_video
from vidtok.video.sample import CLOCK_SECONDS
from vidtok.video.stream import every_frame

AT_A_TIME = 8  # frames asked of a backend at once


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What a video is that was decoded from its first frame to its last."""

    frames: int
    fps: float
    seconds: float
    size: tuple[int, int]
    """Rows and columns of a picture, upright."""
    codec: str
    """FFmpeg's name of it, such as `h264`; empty for pictures."""
    container: str
    """FFmpeg's names of it, such as `mov,mp4,m4a,3gp,3g2,mj2`; `pictures` for these."""
    has_variable_rate: bool
    damaged_frames: int
    """Frames that the decoder gives, but calls corrupt, since it filled gaps from their neighbours, and those behind
    them up to the next whole keyframe. By PyAV, whatever the backend; of HEVC, VP8, VP9 and AV1 nothing is told."""


def check_video(
    path: str | Path,
    *,
    backend: str = "pyav",
    timeout_seconds: float = 60.0,
    on_frame: Callable[[], None] | None = None,
) -> VideoFacts:
    """Decode every frame. Raises DecodeError, which names the file and the cause, where one does not come.

    `timeout_seconds` bounds the opening, and the way from each frame to the next. `on_frame` is called after every few
    frames: a sign of life. A file that only opens, with the frames before its damage, is an error here.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size == 0:
        raise DecodeError(f"{path}: is empty, 0 bytes")
    with open_video(path, backend=backend, timeout_seconds=timeout_seconds) as video:
        if isinstance(video, PacketReader):
            damaged = count_damaged(video, on_frame)
        else:
            for start in range(0, len(video), AT_A_TIME):
                video.frames_at(range(start, min(start + AT_A_TIME, len(video))), short_side=32)
                if on_frame is not None:
                    on_frame()
            damaged = 0
            if not isinstance(video, FramesReader):
                with PacketReader(path, timeout_seconds=timeout_seconds) as packets:
                    damaged = count_damaged(packets, on_frame)
        codec, container = _format(video)
        return VideoFacts(
            frames=len(video),
            fps=video.fps,
            seconds=len(video) / video.fps,
            size=video.size,
            codec=codec,
            container=container,
            has_variable_rate=has_variable_rate(video.pts_seconds),
            damaged_frames=damaged,
        )


def count_damaged(video: PacketReader, on_frame: Callable[[], None] | None) -> int:
    """Frames that damage has spoiled. Raises DecodeError where one does not come."""
    for _ in every_frame(video):
        if on_frame is not None:
            on_frame()
    return len(video.damaged)


def has_variable_rate(pts_seconds: Float64[Tensor, "n"]) -> bool:
    """Whether the shortest and the longest time from one frame to the next differ by more than a clock's rounding.

    Rounding: a millisecond, as of Matroska's clock, at both ends, or a tenth of the mean.
    """
    if len(pts_seconds) < 3:
        return False
    steps = pts_seconds.diff()
    return float(steps.max() - steps.min()) > max(4 * CLOCK_SECONDS, 0.1 * float(steps.mean()))


def _format(video: VideoReader | PacketReader) -> tuple[str, str]:
    if isinstance(video, FramesReader):
        return "", "pictures"
    if isinstance(video, PacketReader):
        return video.codec.codec.canonical_name, video.facts.container
    with PacketReader(video.path) as file:
        return _format(file)
