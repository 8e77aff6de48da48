"""Tiny videos in which every picture says its own number, and the reader of that number.

The number stands as 12 bits in 3 rows of 4 blocks, black or white, the highest bit first; a coloured ramp that moves
with the number fills the gaps, so that pictures compress like pictures.
"""

import multiprocessing
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import VideoReader

ROWS, COLUMNS = 3, 4
RATES = {
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "60": Fraction(60),
}


def numbered_picture(number: int, *, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """An RGB picture (y, x, 3), uint8, with `number` drawn in it."""
    y, x = size
    ramp = (
        np.arange(x)[None, :, None] * 3 + np.arange(y)[:, None, None] * 2 + number * 5 + np.array([0, 60, 120])
    ) % 256
    picture = (64 + ramp // 2).astype(np.uint8)
    height, width = y / ROWS, x / COLUMNS
    for bit in range(ROWS * COLUMNS):
        row, column = divmod(bit, COLUMNS)
        top, bottom = round((row + 0.15) * height), round((row + 0.85) * height)
        left, right = round((column + 0.15) * width), round((column + 0.85) * width)
        picture[top:bottom, left:right] = 235 if number >> (ROWS * COLUMNS - 1 - bit) & 1 else 20
    return picture


def read_number(picture: np.ndarray) -> int:
    """The number drawn in a picture (c, y, x) of any size; fails where a block is neither black nor white."""
    grey = np.asarray(picture, np.float64).mean(axis=0)
    y, x = grey.shape
    number = 0
    for bit in range(ROWS * COLUMNS):
        row, column = divmod(bit, COLUMNS)
        level = grey[int((row + 0.5) * y / ROWS), int((column + 0.5) * x / COLUMNS)]
        assert level < 90 or level > 165, f"block {row}, {column} is grey: {level}"
        number = 2 * number + int(level > 128)
    return number


def read_numbers(pictures: Iterable[np.ndarray]) -> list[int]:
    return [read_number(picture) for picture in pictures]


def make_clip(
    path: Path,
    *,
    frames: int = 60,
    fps: Fraction = Fraction(30),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
    size: tuple[int, int] = (64, 96),
    pix_fmt: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    rotation: int = 0,
) -> Path:
    """Encode `frames` numbered pictures. `ticks` are presentation times in units of 1 / fps, else 0, 1, 2 …"""
    with av.open(str(path), "w", format=format, options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / fps
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, size=size), format="rgb24")
            frame.pts, frame.time_base = number if ticks is None else ticks[number], 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, *, skip_packets: int = 0, shift: int = 0, **container_options: str) -> Path:
    """Copy the packets from number `skip_packets` on into another container, their times moved by `shift` ticks."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=container_options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None and number >= skip_packets:
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                new.mux(packet)
    return target


def zero_packets(path: Path, first: int, last: int) -> None:
    """Damage that only a decoder sees: zeros in place of the content of packets `first` to `last`."""
    with av.open(str(path)) as container:
        at = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for pos, size in at[first : last + 1]:
        data[pos : pos + size] = bytes(size)
    path.write_bytes(data)


def watch_decoder(monkeypatch: pytest.MonkeyPatch) -> list[av.VideoFrame]:
    """A list that grows by every frame that a PyAVReader decodes from now on."""
    decoded: list[av.VideoFrame] = []
    inner = PyAVReader.decoded

    def watched(self, first, *, needed=None):
        for frame in inner(self, first, needed=needed):
            decoded.append(frame)
            yield frame

    monkeypatch.setattr(PyAVReader, "decoded", watched)
    return decoded


def _use(video: VideoReader, answer) -> None:
    try:
        video.frames_at([0])
    except RuntimeError as error:
        answer.put(str(error))


def refusal_elsewhere(video: VideoReader) -> str:
    """What a reader says in a forked process when it is asked for a frame."""
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    process = context.Process(target=_use, args=(video, answer))
    process.start()
    process.join()
    return answer.get()


GROUPS = {
    "keyframe every 12, B-frames": {"x264-params": "keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"},
    "open groups": {"x264-params": "keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0:open-gop=1"},
    "one keyframe": {"x264-params": "keyint=250:min-keyint=250:bframes=2:scenecut=0"},
    "keyframes only": {"x264-params": "keyint=1"},
    "no B-frames": {"x264-params": "keyint=16:min-keyint=16:bframes=0:scenecut=0"},
}


def make_late_clip(
    path: Path, *, late: Fraction, begin: Fraction = Fraction(0), frames: int = 75, codec: str = "libx264"
) -> Path:
    """Numbered pictures at 25 per second from `begin + late` on, beside a tone (MP2) from `begin` on."""
    fps, rate, block = Fraction(25), 48_000, 1152
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=fps)
        pictures.height, pictures.width, pictures.pix_fmt = 64, 96, "yuv420p"
        pictures.codec_context.time_base = 1 / fps
        sound = container.add_stream("mp2", rate=rate, layout="mono")
        packets: list[av.Packet] = []
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts, frame.time_base = number + round((begin + late) * fps), 1 / fps
            packets += pictures.encode(frame)
        packets += pictures.encode(None)
        for number in range(round((late + frames / fps) * rate) // block):
            tone = av.AudioFrame.from_ndarray(np.full((1, block), 99, np.int16), format="s16", layout="mono")
            tone.rate, tone.pts, tone.time_base = rate, number * block, Fraction(1, rate)
            heard = sound.encode(tone)
            for packet in heard:
                assert packet.time_base is not None
                packet.pts = packet.dts = number * block + round(begin * rate)
            packets += heard
        packets.sort(key=lambda packet: (packet.dts or 0) * (packet.time_base or 0))
        for packet in packets:
            container.mux(packet)
    return path
