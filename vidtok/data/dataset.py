"""A list of videos and a plan of views, as a map-style dataset that chooses nothing.

Which frames, which crop and which flip are pure functions of (seed, record, epoch, frame table), so that
`dataset.sample(record=17, epoch=3)` makes again exactly what training saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from vidtok.data.transforms import crop_resize, random_box, spatial_crop
from vidtok.errors import DecodeError
from vidtok.types import Failure, Frames, Record, Sample, View
from vidtok.video.reader import check_backend, open_video
from vidtok.video.sample import clip_indices, linspace_starts, random_start, resample, span

Control = Literal["none", "repeat_first", "repeat_middle", "repeat_last", "shuffle", "reverse"]


@dataclass(frozen=True, kw_only=True)
class ClipRule:
    """How a clip lies on a video: `frames` frames, one every `stride` source frames (or frames at `target_fps`)."""

    frames: int
    stride: int
    target_fps: float | None = None
    short: Literal["repeat", "loop"] = "loop"

    def table(self, pts_seconds: Float64[Tensor, "n"]) -> Int64[Tensor, "m"]:
        """The source frames that a clip may pick from."""
        if self.target_fps is None:
            return torch.arange(len(pts_seconds))
        return resample(pts_seconds, self.target_fps)

    def clip(self, table: Int64[Tensor, "m"], *, start: int) -> Int64[Tensor, "f"]:
        indices = clip_indices(len(table), frames=self.frames, stride=self.stride, start=start, short=self.short)
        return table[indices]


@dataclass(frozen=True, kw_only=True)
class TrainViews:
    """One clip at a random start; a random box of it, scaled to `size`."""

    clip: ClipRule
    size: int
    scale: tuple[float, float]
    ratio: tuple[float, float]
    flip: bool
    short_side: None = None
    count: int = 1

    def views(self, pts_seconds: Float64[Tensor, "n"], rng: np.random.Generator) -> list[View]:
        table = self.clip.table(pts_seconds)
        start = random_start(len(table), span(self.clip.frames, self.clip.stride), rng)
        return [View(clip=0, crop=0, indices=self.clip.clip(table, start=start))]

    def crop(
        self, pixels: UInt8[Tensor, "f c y x"], view: View, rng: np.random.Generator
    ) -> UInt8[Tensor, "f c size size"]:
        height, width = pixels.shape[-2:]
        box = random_box(height, width, rng, scale=self.scale, ratio=self.ratio, flip=self.flip)
        return crop_resize(pixels, box, size=self.size)


@dataclass(frozen=True, kw_only=True)
class TestViews:
    """`clips` clips from the first to the last possible start, each with `crops` crops; clip by clip."""

    __test__ = False  # a name that pytest would take for a class of tests

    clip: ClipRule
    size: int
    short_side: int
    clips: int
    crops: int
    control: Control = "none"

    def __post_init__(self):
        if self.short_side < self.size:
            raise ValueError(f"short_side {self.short_side} is smaller than the crop of {self.size}")

    @property
    def count(self) -> int:
        return self.clips * self.crops

    @property
    def single(self) -> int:
        """The view that stands for all where only one counts: the centre crop of the clip nearest the middle."""
        return (self.clips - 1) // 2 * self.crops + self.crops // 2

    def views(self, pts_seconds: Float64[Tensor, "n"], rng: np.random.Generator) -> list[View]:
        table = self.clip.table(pts_seconds)
        order = _order(self.control, self.clip.frames, rng)
        starts = linspace_starts(len(table), span(self.clip.frames, self.clip.stride), self.clips)
        clips = [self.clip.clip(table, start=start)[order] for start in starts]
        return [View(clip=c, crop=k, indices=clip) for c, clip in enumerate(clips) for k in range(self.crops)]

    def crop(
        self, pixels: UInt8[Tensor, "f c y x"], view: View, rng: np.random.Generator
    ) -> UInt8[Tensor, "f c size size"]:
        return spatial_crop(pixels, size=self.size, crop=view.crop, crops=self.crops)


def _order(control: Control, frames: int, rng: np.random.Generator) -> Int64[Tensor, "f"]:
    """Which frame of the clip stands at each place; anything but `none` tells what the network goes by."""
    order = torch.arange(frames)
    if control == "none":
        return order
    if control == "reverse":
        return order.flip(0)
    if control == "shuffle":
        return torch.from_numpy(rng.permutation(frames))
    place = {"repeat_first": 0, "repeat_middle": frames // 2, "repeat_last": frames - 1}[control]
    return torch.full_like(order, place)


class VideoDataset(Dataset[Sample | Failure]):
    """Videos as samples. A key is `(record, epoch)`; a video that cannot be decoded comes back as a Failure."""

    def __init__(
        self, records: Sequence[Record], *, views: TrainViews | TestViews, seed: int = 0, backend: str = "pyav"
    ):
        check_backend(backend)
        self.records = records
        self.views = views
        self.seed = seed
        self.backend = backend

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample | Failure:
        record, epoch = key
        try:
            return self.sample(record=record, epoch=epoch)
        except DecodeError as error:
            return Failure(index=record, path=self.records[record].path, cause=str(error))

    def sample(self, *, record: int, epoch: int = 0, view: int | None = None) -> Sample:
        """All views of a record, or one of them. The video is opened here and decoded once for all views.

        Raises DecodeError for a video that cannot be decoded.
        """
        row = self.records[record]
        rng = np.random.default_rng([self.seed, record, epoch])
        with open_video(row.path, backend=self.backend) as reader:
            views = self.views.views(reader.pts_seconds, rng)
            wanted = torch.unique(torch.cat([each.indices for each in views]))
            frames = reader.frames_at(wanted.tolist(), short_side=self.views.short_side)
        cut = [self.views.crop(_pick(frames, wanted, each), each, rng) for each in views]
        chosen = cut if view is None else [cut[view]]
        return Sample(index=record, views=torch.stack(chosen), labels=row.labels, video_id=row.video_id)


def _pick(frames: Frames, wanted: Int64[Tensor, "u"], view: View) -> UInt8[Tensor, "f c y x"]:
    return frames.pixels[torch.searchsorted(wanted, view.indices)]
