"""Pictures to an H.264 file."""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from vidtok.video.sound import Sound

CLOCK = 90000
"""Ticks of a second, for pictures that have times of their own."""


def write_video(
    path: str | Path,
    frames: UInt8[Tensor, "f c y x"] | Iterable[UInt8[Tensor, "c y x"]],
    *,
    fps: Fraction | float | int,
    crf: int = 18,
    gop: int | None = None,
    preset: str = "medium",
    sound: Sound | None = None,
) -> None:
    """Write RGB pictures as an mp4 that every browser plays: H.264, yuv420p, BT.709 limited range, index in front.

    Pictures of an odd height or width get their last row or column twice, as yuv420p needs even sizes. `crf` is
    x264's quality, 0 (lossless but for the colour conversion) to 51; `gop` the largest distance between keyframes
    (x264's default is 250); `preset` its trade of time against size. One thread: the same pictures and options give
    the same bytes. `sound` comes beside them. The file appears whole or not at all: it is written aside and renamed.

    Raises ValueError for no pictures or pictures of different sizes.
    """
    options = {"crf": str(crf), "preset": preset} | ({} if gop is None else {"g": str(gop)})
    rate = Fraction(fps).limit_denominator(1001)
    _write_whole(Path(path), enumerate(frames), rate, 1 / rate, options, sound)


def write_timed_video(
    path: str | Path,
    frames: Iterable[tuple[float, UInt8[Tensor, "c y x"]]],
    *,
    fps: Fraction | float | int,
    crf: int = 20,
    preset: str = "veryfast",
) -> None:
    """The same, each picture with the seconds from the beginning at which it is shown, rising: their rate may change.

    `fps`: about how many come in a second, which the encoder plans by.
    """
    options = {"crf": str(crf), "preset": preset}
    rate = Fraction(fps).limit_denominator(1001)
    _write_whole(Path(path), _in_ticks(frames), rate, Fraction(1, CLOCK), options)


def _in_ticks(frames: Iterable[tuple[float, Tensor]]) -> Iterator[tuple[int, Tensor]]:
    last = -1
    for seconds, picture in frames:
        last = max(last + 1, round(seconds * CLOCK))
        yield last, picture


def _write_whole(
    path: Path,
    frames: Iterable[tuple[int, Tensor]],
    fps: Fraction,
    tick: Fraction,
    options: dict[str, str],
    sound: Sound | None = None,
) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with av.open(str(aside.absolute()), "w", format="mp4", options={"movflags": "faststart"}) as container:
            _encode(container, frames, fps, tick, options, sound)
        os.replace(aside, path)
    finally:
        if sound is not None:
            sound.close()
        aside.unlink(missing_ok=True)


def _encode(
    container: OutputContainer,
    frames: Iterable[tuple[int, Tensor]],
    fps: Fraction,
    tick: Fraction,
    options: dict[str, str],
    sound: Sound | None,
) -> None:
    """Pictures with the times at which they are shown, in ticks."""
    stream = None
    size = (0, 0, 3)
    reformatter = VideoReformatter()
    for shown_at, picture in frames:
        pixels = np.ascontiguousarray(rearrange(picture, "c y x -> y x c").numpy())
        if stream is None:
            size = pixels.shape
            y, x = size[0] + size[0] % 2, size[1] + size[1] % 2
            stream = container.add_stream("libx264", rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt = x, y, "yuv420p"
            codec = stream.codec_context
            codec.thread_count = 1
            codec.time_base = tick
            codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
            codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            if sound is not None:  # both streams are there before the first packet
                sound.begin(container)
        if pixels.shape != size:
            raise ValueError(
                f"pictures of one video differ in size: (rows, columns, colours) {size} and {pixels.shape}"
            )
        even = np.pad(pixels, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
        yuv = reformatter.reformat(
            av.VideoFrame.from_ndarray(even, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )
        yuv.pts, yuv.time_base = shown_at, tick
        container.mux(stream.encode(yuv))
        if sound is not None:
            sound.until(container, float(shown_at * tick + 1 / fps))
    if stream is None:
        raise ValueError("a video needs at least one picture")
    container.mux(stream.encode(None))
    if sound is not None:
        sound.end(container)
