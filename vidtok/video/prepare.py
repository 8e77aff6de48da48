"""Videos made cheap to decode: small pictures, a keyframe every few frames, and nothing that takes a decoder long."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from jaxtyping import Float64
from torch import Tensor

from vidtok.errors import DataError, DecodeError
from vidtok.video.pyav import PyAVReader
from vidtok.video.sample import CLOCK_SECONDS
from vidtok.video.source import stored_bytes
from vidtok.video.stream import every_frame
from vidtok.video.yuv import YuvPictures

FINEST_CLOCK = 1_000_000  # ticks per second: mp4 keeps the duration of a frame in 32 bits
SAME_TIME_SECONDS = 1e-6
SOUND_RATE = 48_000


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What became of a video."""

    frames: int
    fps: float
    source_size: tuple[int, int]
    """Rows and columns of a picture before, upright."""
    size: tuple[int, int]
    """Rows and columns of a picture now."""
    source_bytes: int
    bytes: int
    shift_seconds: float
    """Added to every presentation time: 0 but for a video that begins before 0 s, which an mp4 cannot."""
    damaged_frames: int
    """Frames of the source that damage has spoiled. They are whole in the file, which shows what the decoder made of
    them: nothing tells later on."""


def prepare_video(
    source: str | Path,
    target: str | Path,
    *,
    short_side: int = 256,
    gop: int = 16,
    crf: int = 26,
    preset: str = "medium",
    timeout_seconds: float = 60.0,
    on_frame: Callable[[], None] | None = None,
) -> Prepared:
    """Write `source` anew as an mp4 whose random clips are cheap to decode.

    H.264, yuv420p, a keyframe every `gop` frames and nowhere else, no B-frames, x264's `tune=fastdecode` (no CABAC, no
    loop filter), no sound, the index in front. Pictures are scaled to `short_side` pixels on the shorter side, never
    enlarged, both sides even; what the display matrix asks for is done to the pixels. Every frame of `PyAVReader`
    is there, at the same presentation time (to the microsecond); where the source's clock begins before its pictures,
    with its sound, an instant of silence stands at that time, so that the times of lists stay true. Matrix and range of
    the colours stay as tagged; RGB becomes BT.601 in limited range, 10 bits become 8, finer chroma 4:2:0, several
    fields stay one picture.

    `crf` is x264's quality, 0 (lossless) to 51; `preset` its trade of time against size. Bits are spent where they
    bring the picture closest to the source, not where eyes look (`psy=0`, `aq-mode=0`), and weighed with care
    (`trellis=2`, `subme=10`): fewer bytes for the same closeness, 7 % less decoding, twice the time to encode. A
    film of 720 rows (x264 at crf 23) keeps 38.0 dB of its scaled pictures in 22 % of its bytes, where FFmpeg's
    defaults, with their long groups, keep 39.8; crf 23 is 1.9 dB closer, for 43 % more bytes and 13 % more decoding.
    Short groups without CABAC are large: pictures that are not scaled down take more bytes than before.

    One thread; the pictures in memory are those that the encoder looks ahead. `on_frame` is called after every frame: a
    sign of life. The file appears whole or not at all: written aside, its frames counted, then renamed.

    Raises DecodeError for a source that cannot be decoded to its end, or gives no frame for `timeout_seconds`;
    DataError where the target cannot be written; ValueError for settings that cannot work.
    """
    source, target = Path(source), Path(target)
    if short_side < 2 or short_side % 2 or gop < 1 or not 0 <= crf <= 51:
        raise ValueError(
            f"short_side is even and at least 2, gop counts from 1, crf goes from 0 to 51; got {short_side}, {gop} "
            f"and {crf}"
        )
    aside = part_file(target, process=os.getpid())
    try:
        with PyAVReader(source, timeout_seconds=timeout_seconds) as video:
            ticks, clock = clock_ticks(video)
            size = prepared_size(video.size, short_side)
            late = float(video.pts_seconds[0]) - video.start_seconds
            with opened_mp4(aside, target, clock) as container:
                encoding = Encoding(
                    container,
                    path=video.path,
                    fps=video.fps,
                    size=size,
                    ticks=ticks,
                    clock=clock,
                    late=late,
                    options=video_encoder_options(gop=gop, crf=crf, preset=preset),
                )
                for frame in every_frame(video):
                    encoding.put(frame)
                    if on_frame is not None:
                        on_frame()
                encoding.end()
            facts = Prepared(
                frames=len(video),
                fps=video.fps,
                source_size=video.size,
                size=size,
                source_bytes=stored_bytes(source, timeout_seconds=timeout_seconds),
                bytes=aside.stat().st_size,
                shift_seconds=max(0.0, -float(video.pts_seconds[0])),
                damaged_frames=len(video.damaged),
            )
            expected = video.pts_seconds + facts.shift_seconds
            check_written(aside, expected, late=late, path=source, timeout_seconds=timeout_seconds)
        with named_target(target):
            os.replace(aside, target)
    finally:
        if aside.is_file():
            aside.unlink()
    return facts


def video_encoder_options(*, gop: int, crf: int, preset: str) -> dict[str, str]:
    """What `prepare_video` says of x264; ValueError for what cannot work."""
    if gop < 1 or not 0 <= crf <= 51:
        raise ValueError(f"gop counts from 1, crf goes from 0 to 51; got {gop} and {crf}")
    return {
        "preset": preset,
        "tune": "fastdecode",
        "crf": str(crf),
        "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:open-gop=0:"
        "psy=0:aq-mode=0:trellis=2:subme=10",
    }


def prepared_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Rows and columns scaled down to `short_side`, both even: the long side rounded to the nearest, others down."""
    y, x = size
    if min(y, x) <= short_side:
        return max(2, y - y % 2), max(2, x - x % 2)
    long_side = 2 * round(max(y, x) * short_side / min(y, x) / 2)
    return (short_side, long_side) if y <= x else (long_side, short_side)


def part_file(target: Path, *, process: int) -> Path:
    """Where this process of this machine writes the target until it is whole."""
    return target.with_name(f".{target.name}.{platform.node()}-{process}.part")


def clock_ticks(video: PyAVReader) -> tuple[list[int], Fraction]:
    """Presentation times as the file counts them, from 0 on where they begin below it, and the seconds of a tick."""
    clock = video.stream.time_base or Fraction(1, FINEST_CLOCK)
    ticks = [int(tick) for tick in video.table.ticks]
    if clock.denominator > FINEST_CLOCK:
        ticks, clock = [round(tick * clock * FINEST_CLOCK) for tick in ticks], Fraction(1, FINEST_CLOCK)
    return [tick - min(0, ticks[0]) for tick in ticks], clock


@contextmanager
def named_target(target: Path) -> Iterator[None]:
    """What stands in the way of writing becomes a DataError with the target's name."""
    try:
        yield
    except (FFmpegError, OSError) as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error


@contextmanager
def opened_mp4(aside: Path, target: Path, clock: Fraction) -> Iterator[OutputContainer]:
    """An mp4 to write frames into. Its clocks count in the video's own, so that no time is rounded."""
    ticks_per_second = str(clock.denominator)
    options = {"movflags": "faststart", "video_track_timescale": ticks_per_second, "movie_timescale": ticks_per_second}
    with named_target(target):
        aside.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(aside.absolute()), "w", format="mp4", options=options) as container:
            yield container


def _silence(stream: AudioStream, *, seconds: float) -> av.Packet:
    """A packet of it at this time, which players and readers take for the file's beginning then."""
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    silence.rate, silence.pts, silence.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
    first, *_ = [*stream.encode(silence), *stream.encode(None)]
    first.pts = first.dts = round(seconds * SOUND_RATE)
    return first


class Encoding:
    """Takes pictures, one by one, into an mp4 that is open for writing: see `prepare_video`.

    `ticks` are the times of all pictures that will come, `late` what the file's clock begins before the first of them.
    """

    def __init__(
        self,
        container: OutputContainer,
        *,
        path: Path,
        fps: float,
        size: tuple[int, int],
        ticks: Sequence[int],
        clock: Fraction,
        late: float,
        options: dict[str, str],
    ):
        self._container, self._path, self._ticks, self._clock, self._late = container, path, ticks, clock, late
        self._stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        self._sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono") if late > CLOCK_SECONDS else None
        self._stream.height, self._stream.width, self._stream.pix_fmt = *size, "yuv420p"
        codec = self._stream.codec_context
        codec.thread_count, codec.time_base = 1, clock
        codec.flags |= Flags.frame_duration  # or every packet would last as long as the mean
        self._pictures = YuvPictures(size)
        self._given = 0

    def put(self, frame: av.VideoFrame) -> None:
        index, ticks, clock = self._given, self._ticks, self._clock
        picture = self._pictures.convert(frame)
        if index == 0:
            codec = self._stream.codec_context
            codec.colorspace, codec.color_range = picture.colorspace, picture.color_range
            codec.color_primaries, codec.color_trc = picture.color_primaries, picture.color_trc
            if self._sound is not None:
                begin = max(0.0, float(ticks[0] * clock) - self._late)
                self._container.mux(_silence(self._sound, seconds=begin))
        picture.pts, picture.time_base = ticks[index], clock
        if len(ticks) > 1:
            picture.duration = ticks[index + 1] - ticks[index] if index + 1 < len(ticks) else ticks[-1] - ticks[-2]
        picture.pict_type = 0  # or the encoder would repeat the source's keyframes
        self._container.mux(_packets(self._stream, picture, self._path))
        self._given += 1

    def end(self) -> None:
        """What the encoder still holds."""
        self._container.mux(_packets(self._stream, None, self._path))


def _packets(stream: VideoStream, picture: av.VideoFrame | None, path: Path) -> list[av.Packet]:
    try:
        return stream.encode(picture)
    except FFmpegError as error:
        raise DecodeError(f"{path}: x264 does not take its pictures: {error.strerror}") from error


def check_written(
    written: Path, expected: Float64[Tensor, "n"], *, late: float, path: Path, timeout_seconds: float
) -> None:
    """Raise DecodeError unless the file has a picture at each of these times, the first so late by its clock."""
    with PyAVReader(written, timeout_seconds=timeout_seconds) as copy:
        off = (copy.pts_seconds - expected).abs().max() if len(copy) == len(expected) else None
        own = float(copy.pts_seconds[0]) - copy.start_seconds
        if off is None or off > SAME_TIME_SECONDS or abs(own - late) > CLOCK_SECONDS:
            raise DecodeError(
                f"{path}: the copy has {len(copy)} frames from {copy.pts_seconds[0]:.6f} to "
                f"{copy.pts_seconds[-1]:.6f} s, the video {len(expected)} from {expected[0]:.6f} to "
                f"{expected[-1]:.6f} s, by clocks that begin {own:.6f} and {late:.6f} s before: mp4 cannot hold them"
            )
