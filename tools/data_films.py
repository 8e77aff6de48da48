"""Films for tools/bench_data.py: pictures with the statistics of photographs, in motion, and of any length."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def texture(rng: np.random.Generator, y: int, x: int, slope: float) -> np.ndarray:
    """Noise whose spectrum falls with the frequency as that of photographs does; mean 0, deviation 1."""
    squares = np.fft.fftfreq(y)[:, None] ** 2 + np.fft.rfftfreq(x)[None] ** 2
    squares[0, 0] = 1
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((y, x))) / squares ** (slope / 2), s=(y, x))
    return (noise - noise.mean()) / noise.std()


def pictures(rng: np.random.Generator, count: int, y: int, x: int) -> Iterator[np.ndarray]:
    """A camera that pans over a scene in which five things move, with a little noise; RGB."""
    scene = 120 + 45 * texture(rng, 2 * y, 2 * x, 1.3)[..., None]
    scene = scene + 18 * np.stack([texture(rng, 2 * y, 2 * x, 1.6) for _ in range(3)], -1)
    grain = 3 * rng.standard_normal((y + 16, x + 16, 3)).astype(np.float32)
    things = []
    for _ in range(5):
        height, width = int(rng.integers(y // 6, y // 2)), int(rng.integers(x // 8, x // 3))
        colour = np.stack([rng.uniform(40, 210) + 35 * texture(rng, height, width, 1.2) for _ in range(3)], -1)
        down, right = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        things.append((colour, np.clip(6 * (1 - down**2 - right**2), 0, 1)[..., None], rng.uniform(0.3, 6, 4)))
    scene = scene.astype(np.float32)
    for number in range(count):
        t = number / 30
        top, left = int(y * (0.5 + 0.45 * np.sin(0.25 * t))), int(x * (0.5 + 0.45 * np.sin(0.4 * t + 1)))
        picture = scene[top : top + y, left : left + x].copy()
        for colour, mask, (fast, faster, phase, other) in things:
            height, width = mask.shape[:2]
            place_y = int((y - height) * (0.5 + 0.5 * np.sin(fast / 4 * t + phase)))
            place_x = int((x - width) * (0.5 + 0.5 * np.sin(faster / 4 * t + other)))
            part = picture[place_y : place_y + height, place_x : place_x + width]
            part += mask * (colour - part)
        shift_y, shift_x = rng.integers(16, size=2)
        yield np.clip(picture + grain[shift_y : shift_y + y, shift_x : shift_x + x], 0, 255).astype(np.uint8)


def make_film(path: Path, *, gop: int, seconds: float, size: tuple[int, int] = (256, 340), seed: int = 0) -> Path:
    """Write `pictures` at 30 per second as ffmpeg's defaults have it, a keyframe every `gop` frames; gives the path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": str(gop), "preset": "medium", "crf": "23"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(pictures(np.random.default_rng(seed), round(30 * seconds), *size)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
