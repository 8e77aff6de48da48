"""Ways to read a training clip, for tools/bench_data.py: vidtok's, a bare PyAV loop, and other loaders."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from torch import Tensor

from vidtok.data.transforms import crop_resize, random_box
from vidtok.data.views import decode_once
from vidtok.errors import DecodeError
from vidtok.types import Box, View
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import open_video

FRAMES, STRIDE, SIZE = 32, 2, 224
SPAN = (FRAMES - 1) * STRIDE + 1
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


@dataclass(frozen=True)
class Clip:
    """A training clip of one file. `ticks` are its frames' presentation times as the container counts them."""

    path: str
    start: int
    ticks: tuple[int, ...]
    seconds: tuple[Fraction, Fraction]
    box: Box

    @property
    def indices(self) -> list[int]:
        return list(range(self.start, self.start + SPAN, STRIDE))


def draw_clip(path: Path, rng: random.Random) -> Clip | None:
    """A random training clip of the file; None where it has too few frames."""
    with open_video(path) as video:
        if len(video) < SPAN + STRIDE:
            return None
        start = rng.randrange(len(video) - SPAN - 1)
        seconds = video.pts_seconds[start : start + SPAN + 1].tolist()
        y, x = video.size
    with av.open(str(path)) as container:
        time_base = container.streams.video[0].time_base or Fraction(1)
    box = random_box(y, x, np.random.default_rng(rng.randrange(2**32)), scale=SCALE, ratio=RATIO, flip=True)
    ticks = tuple(round(second / time_base) for second in seconds[:SPAN:STRIDE])
    ends = (Fraction(seconds[0]).limit_denominator(90_000), Fraction(seconds[SPAN]).limit_denominator(90_000))
    return Clip(str(path), start, ticks, ends, box)


def draw_or_none(file: Path, rng: random.Random) -> Clip | None:
    try:
        return draw_clip(file, rng)
    except (DecodeError, av.FFmpegError, UnicodeDecodeError):
        return None


# ---- loaders: each gives the RGB frames of a clip, (f c y x), uint8 ----


def bare(clip: Clip) -> Tensor:
    """Seek to the keyframe before, decode the span, convert the wanted frames."""
    wanted = {tick: row for row, tick in enumerate(clip.ticks)}
    rgb = np.empty(0)
    with av.open(clip.path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        container.seek(clip.ticks[0], stream=stream)
        reformatter = VideoReformatter()
        for frame in container.decode(stream):
            row = wanted.get(frame.pts or 0)
            if row is not None:
                if not rgb.size:
                    rgb = np.empty((len(wanted), frame.height, frame.width, 3), np.uint8)
                rgb[row] = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
                if row == len(wanted) - 1:
                    break
    return torch.from_numpy(rgb).permute(0, 3, 1, 2)


def by_decord(clip: Clip) -> Tensor:
    import decord

    with decord.bridge.use_torch():
        video = decord.VideoReader(clip.path, num_threads=1)
        return video.get_batch(clip.indices).permute(0, 3, 1, 2)


def by_torchcodec(clip: Clip) -> Tensor:
    """`approximate` leaves out the scan of the file, and the range is its quickest question."""
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(clip.path, num_ffmpeg_threads=1, seek_mode="approximate")
    return video.get_frames_in_range(clip.start, clip.start + SPAN, STRIDE).data


def by_pytorchvideo(clip: Clip, *, decoder: str) -> Tensor:
    """Its dataset decodes all frames between two times into float32."""
    from pytorchvideo.data import labeled_video_dataset
    from pytorchvideo.data.clip_sampling import ClipInfo, ClipSampler

    class Fixed(ClipSampler):
        def __call__(self, last_clip_end_time, video_duration, annotation):
            return ClipInfo(*clip.seconds, 0, 0, True)

    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(f"{clip.path} 0\n")
        file.flush()
        data = labeled_video_dataset(
            file.name,
            Fixed(clip_duration=float(clip.seconds[1] - clip.seconds[0])),
            decode_audio=False,
            decoder=decoder,
            transform=lambda sample: sample["video"][:, ::STRIDE],
        )
        video = next(iter(data))
    return video.to(torch.uint8).transpose(0, 1)


def vidtok_rgb(clip: Clip) -> Tensor:
    with open_video(clip.path) as video:
        return video.frames_at(clip.indices).pixels


# ---- whole ways: each gives the clip that training sees, (f c SIZE SIZE), uint8 ----


def cropped(loader: Callable[[Clip], Tensor], clip: Clip) -> Tensor:
    return crop_resize(loader(clip), clip.box, size=SIZE)


def vidtok_clip(clip: Clip) -> Tensor:
    """As a dataset does it: of the pictures only the part is kept that the box covers."""
    view = View(clip=0, crop=0, indices=torch.tensor(clip.indices))
    with open_video(clip.path) as video:
        pixels, _, (box,) = decode_once(video, [view], lambda picture: [clip.box])
    return crop_resize(pixels, box, size=SIZE)


def vidtok_yuv(clip: Clip) -> Tensor:
    """As a dataset does it: the box is drawn when the size of the picture is known."""
    with PyAVReader(clip.path) as video:
        return video.crops_at([(clip.indices, lambda picture: clip.box)], size=SIZE)[0].pixels


RGB_LOADERS: dict[str, Callable[[Clip], Tensor]] = {
    "bare PyAV loop": bare,
    "decord": by_decord,
    "torchcodec": by_torchcodec,
    "pytorchvideo, pyav": partial(by_pytorchvideo, decoder="pyav"),
    "pytorchvideo, decord": partial(by_pytorchvideo, decoder="decord"),
}
