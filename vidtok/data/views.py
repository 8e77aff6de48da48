"""What is seen of a video: clips and crops as plans of frames and boxes, and the pixels that they ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from vidtok.choices import Control, CropIn
from vidtok.data.augment import Augment
from vidtok.data.transforms import crop_resize, jitter_box, random_box, spatial_crop
from vidtok.types import Box, View
from vidtok.video.protocols import ClipRule
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import VideoReader


@dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """A random box of a random share of the area (`scale`) and a random shape (`ratio`); see `random_box`."""

    scale: tuple[float, float]
    ratio: tuple[float, float]

    def box(self, height: int, width: int, rng: np.random.Generator, *, size: int, flip: bool) -> Box:
        return random_box(height, width, rng, scale=self.scale, ratio=self.ratio, flip=flip)


@dataclass(frozen=True, kw_only=True)
class JitteredCrop:
    """A random crop of the picture scaled to a random short side in pixels; see `jitter_box`."""

    short_side: tuple[float | int, float | int]
    independent: bool

    def box(self, height: int, width: int, rng: np.random.Generator, *, size: int, flip: bool) -> Box:
        return jitter_box(
            height, width, rng, size=size, short_side=self.short_side, independent=self.independent, flip=flip
        )


@dataclass(frozen=True, kw_only=True)
class TrainViews:
    """`repeats` clips at random places, each with a random box of its own, scaled to `size`.

    Several clips of one video by one decode are repeated augmentation (Hoffer et al., arXiv 1901.09335).
    `crop_in: yuv` has the decoder cut and scale, before it turns pictures into RGB, with the same boxes; pictures of a
    folder are RGB in any case. `augment` comes last, with one draw for each clip.
    """

    clip: ClipRule
    size: int
    crop: ResizedCrop | JitteredCrop
    flip: bool
    repeats: int = 1
    crop_in: CropIn = "rgb"
    augment: Augment | None = None

    def __post_init__(self):
        if self.repeats < 1:
            raise ValueError(f"repeats count from 1, got {self.repeats}")

    @property
    def count(self) -> int:
        return self.repeats

    def views(self, pts_seconds: Float64[Tensor, "n"], rng: np.random.Generator) -> list[View]:
        clips = [self.clip.training_clip(pts_seconds, rng) for _ in range(self.repeats)]
        return [View(clip=number, crop=0, indices=indices) for number, indices in enumerate(clips)]

    def boxes(self, picture: tuple[int, int], rng: np.random.Generator) -> list[Box]:
        """A box for each clip in a picture of so many rows and columns."""
        height, width = picture
        return [self.crop.box(height, width, rng, size=self.size, flip=self.flip) for _ in range(self.repeats)]

    def cut(
        self, reader: VideoReader, views: Sequence[View], rng: np.random.Generator, *, size: int | None = None
    ) -> UInt8[Tensor, "v f c y x"]:
        """Decode once, cut, scale to `size` (default: the views' own) and augment."""
        size = size or self.size
        if self.crop_in == "yuv" and isinstance(reader, PyAVReader):

            def draw(picture: tuple[int, int]) -> Box:  # only a frame tells the size
                return self.crop.box(*picture, rng, size=self.size, flip=self.flip)

            clips = [(view.indices.tolist(), draw) for view in views]
            cut = [frames.pixels for frames in reader.crops_at(clips, size=size)]
        else:
            pixels, rows, boxes = decode_once(reader, views, lambda picture: self.boxes(picture, rng))
            cut = [crop_resize(pick(pixels, row), box, size=size) for row, box in zip(rows, boxes, strict=True)]
        if self.augment is not None:
            cut = [self.augment(clip, rng) for clip in cut]
        return torch.stack(cut) if len(cut) > 1 else cut[0][None]


@dataclass(frozen=True, kw_only=True)
class TestViews:
    """`clips` clips that cover the video, each with `crops` crops; clip by clip."""

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
        order = _order(self.control, self.clip.frames, rng)
        clips = [clip[order] for clip in self.clip.testing_clips(pts_seconds, self.clips)]
        return [View(clip=c, crop=k, indices=clip) for c, clip in enumerate(clips) for k in range(self.crops)]

    def crop(self, pixels: UInt8[Tensor, "f c y x"], view: View) -> UInt8[Tensor, "f c size size"]:
        return spatial_crop(pixels, size=self.size, crop=view.crop, crops=self.crops)

    def cut(
        self, reader: VideoReader, views: Sequence[View], rng: np.random.Generator, *, size: int | None = None
    ) -> UInt8[Tensor, "v f c y x"]:
        """Decode once, and crop each frame for the views that want it. Views of testing have their one size."""
        if size not in (None, self.size):
            raise ValueError(f"these views have {self.size} pixels, got size {size}")
        places: dict[int, list[tuple[int, int]]] = {}
        for number, view in enumerate(views):
            for place, index in enumerate(view.indices.tolist()):
                places.setdefault(index, []).append((number, place))
        out = None
        for index, picture in reader.each_at(list(places), short_side=self.short_side):
            if out is None:
                out = _room(len(views), self.clip.frames, self.size, packed=picture.movedim(0, -1).is_contiguous())
            for number, place in places[index]:
                out[number, place] = self.crop(picture[None], views[number])[0].numpy()
        assert out is not None  # each view has a frame
        return torch.from_numpy(out)


def _room(views: int, frames: int, size: int, *, packed: bool) -> UInt8[np.ndarray, "v f c y x"]:
    """Room for views; `packed`: with the colours of a pixel side by side in memory.

    Copying from one order to the other takes a multiple of the time. numpy asks the system for large pages, which saves
    a third of it.
    """
    if packed:
        return np.moveaxis(np.empty((views, frames, size, size, 3), np.uint8), -1, 2)
    return np.empty((views, frames, 3, size, size), np.uint8)


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


def decode_once(
    reader: VideoReader, views: Sequence[View], draw: Callable[[tuple[int, int]], list[Box]]
) -> tuple[UInt8[Tensor, "u c y x"], list[Int64[Tensor, "f"]], list[Box]]:
    """Every frame that some view wants, once; the rows of these in which each view finds its own, and its box there.

    `draw` gives each view's box in a picture of so many rows and columns. A reader that can keeps only the part of the
    pictures that these cover.
    """
    wanted = torch.unique(torch.cat([view.indices for view in views]))
    if isinstance(reader, PyAVReader):
        boxes: list[Box] = []

        def cover(picture: tuple[int, int]) -> Box:
            drawn = draw(picture)
            top, left = min(box.top for box in drawn), min(box.left for box in drawn)
            bottom, right = max(box.top + box.height for box in drawn), max(box.left + box.width for box in drawn)
            boxes.extend(replace(box, top=box.top - top, left=box.left - left) for box in drawn)
            return Box(top=top, left=left, height=bottom - top, width=right - left)

        pixels = reader.frames_at(wanted.tolist(), within=cover).pixels
    else:
        pixels = reader.frames_at(wanted.tolist()).pixels
        height, width = pixels.shape[-2:]
        boxes = draw((height, width))
    return pixels, [torch.searchsorted(wanted, view.indices) for view in views], boxes


def pick(pixels: UInt8[Tensor, "u c y x"], row: Int64[Tensor, "f"]) -> UInt8[Tensor, "f c y x"]:
    """These rows; no copy where they are all rows in their order, as for a single clip."""
    return pixels if torch.equal(row, torch.arange(len(pixels))) else pixels[row]
