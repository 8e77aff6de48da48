"""What is seen of a video: clips and crops as plans of frames and boxes, and the pixels that they ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from vidtok.choices import Control, CropIn, Fit
from vidtok.data.augment import Augment
from vidtok.data.geometry import Size, covering_side, crop_boxes, rows_columns, size_words, whole_box
from vidtok.data.transforms import BoxReach, box_reach, crop_resize, cut_box, jitter_box, random_box
from vidtok.types import Box, View
from vidtok.video.protocols import ClipRule
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import VideoReader


@dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """A random box of a random share of the area (`scale`) and a random shape (`ratio`); see `random_box`.

    A ratio of 1 is the shape of what the network sees. With `fit=squeeze` that is the picture's own shape, and with
    `pad` the area is that of the picture with its bars, so that any range of both can be had in any picture.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    fit: Fit = "crop"

    def box(self, height: int, width: int, rng: np.random.Generator, *, size: Size, flip: bool) -> Box:
        whole = self._whole(height, width, size=size)
        shape = self._shape(whole, size=size)
        box = random_box(whole.height, whole.width, rng, scale=self.scale, ratio=self.ratio, flip=flip, shape=shape)
        return replace(box, top=box.top + whole.top, left=box.left + whole.left)

    def reach(self, height: int, width: int, *, size: Size) -> BoxReach:
        """What the ranges come to in a picture of so many rows and columns."""
        whole = self._whole(height, width, size=size)
        shape = self._shape(whole, size=size)
        return box_reach(whole.height, whole.width, scale=self.scale, ratio=self.ratio, shape=shape)

    def _whole(self, height: int, width: int, *, size: Size) -> Box:
        if self.fit == "crop":
            return Box(top=0, left=0, height=height, width=width)
        return whole_box(height, width, size=size, fit=self.fit)

    def _shape(self, whole: Box, *, size: Size) -> float:
        rows, columns = rows_columns(size)
        return whole.width / whole.height if self.fit == "squeeze" else columns / rows


@dataclass(frozen=True, kw_only=True)
class JitteredCrop:
    """A random crop of the picture scaled to a random short side in pixels; see `jitter_box`."""

    short_side: tuple[float | int, float | int]
    independent: bool

    def box(self, height: int, width: int, rng: np.random.Generator, *, size: Size, flip: bool) -> Box:
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
    size: Size
    crop: ResizedCrop | JitteredCrop
    flip: bool
    repeats: int = 1
    crop_in: CropIn = "rgb"
    augment: Augment | None = None

    def __post_init__(self):
        if self.repeats < 1:
            raise ValueError(f"repeats count from 1, got {self.repeats}")
        if self.crop_in == "yuv" and isinstance(self.crop, ResizedCrop) and self.crop.fit == "pad":
            raise ValueError("crop_in=yuv cuts boxes out of a picture; for fit=pad, which adds bars to it, take rgb")

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
        self, reader: VideoReader, views: Sequence[View], rng: np.random.Generator, *, size: Size | None = None
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
    """`clips` clips that cover the video, each with `crops` crops; clip by clip.

    `fit=crop`: crops of `size` out of pictures that are scaled to `short_side` (see `covering_side`), placed by the
    rule of `clip.sampling` (see `crop_boxes`). `pad` and `squeeze` show all of a picture in one view, made as training
    makes its own: cut and scaled from the picture's own size.
    """

    __test__ = False  # a name that pytest would take for a class of tests

    clip: ClipRule
    size: Size
    short_side: int | None
    clips: int
    crops: int
    control: Control = "none"
    fit: Fit = "crop"

    def __post_init__(self):
        least = min(rows_columns(self.size))
        if self.fit != "crop" and self.crops != 1:
            raise ValueError(f"fit={self.fit} shows all of a picture in one view: crops is 1 then, got {self.crops}")
        if self.fit == "crop" and self.short_side is None:
            raise ValueError("fit=crop needs short_side, to which pictures are scaled before they are cropped")
        if self.fit == "crop" and self.short_side is not None and self.short_side < least:
            raise ValueError(f"short_side {self.short_side} is smaller than the crop of {least}")

    @property
    def count(self) -> int:
        return self.clips * self.crops

    @property
    def single(self) -> int:
        """The view that stands for all where only one counts: the centre crop of the clip nearest the middle."""
        return self.single_of(self.count)

    def single_of(self, views: int) -> int:
        """The same for a video that has so many views."""
        return (views // self.crops - 1) // 2 * self.crops + (self.crops - 1) // 2

    def centres_of(self, views: int) -> slice:
        """The centre crops of all clips, of a video that has so many views."""
        return slice((self.crops - 1) // 2, views, self.crops)

    def views(self, pts_seconds: Float64[Tensor, "n"], rng: np.random.Generator) -> list[View]:
        order = _order(self.control, self.clip.frames, rng)
        clips = [clip[order] for clip in self.clip.testing_clips(pts_seconds, self.clips)]
        return [View(clip=c, crop=k, indices=clip) for c, clip in enumerate(clips) for k in range(self.crops)]

    def boxes(self, picture: tuple[int, int]) -> list[Box]:
        """The box of each crop in a picture of so many rows and columns, which `side` has scaled."""
        if self.fit != "crop":
            return [whole_box(*picture, size=self.size, fit=self.fit)]
        return crop_boxes(*picture, size=self.size, crops=self.crops, rule=self.clip.sampling)

    def side(self, reader: VideoReader) -> int | None:
        """What the shorter side of the video's pictures is scaled to; None: to nothing."""
        rows, columns = rows_columns(self.size)
        if rows == columns or self.fit != "crop":  # whatever the picture's size is: some readers decode a frame for it
            return self.side_of(self.size)
        return self.side_of(reader.size)

    def side_of(self, picture: Size) -> int | None:
        """The same for pictures of so many rows and columns."""
        if self.fit != "crop" or self.short_side is None:
            return None
        return covering_side(rows_columns(picture), size=self.size, short_side=self.short_side)

    def crop(self, pixels: UInt8[Tensor, "f c y x"], view: View) -> UInt8[Tensor, "f c rows columns"]:
        """What this view sees of pictures that have been scaled to `side`."""
        box = self.boxes((pixels.shape[-2], pixels.shape[-1]))[view.crop]
        return cut_box(pixels, box) if self.fit == "crop" else crop_resize(pixels, box, size=self.size)

    def cut(
        self, reader: VideoReader, views: Sequence[View], rng: np.random.Generator, *, size: Size | None = None
    ) -> UInt8[Tensor, "v f c y x"]:
        """Decode once, and crop each frame for the views that want it. Views of testing have their one size."""
        if size not in (None, self.size):
            raise ValueError(f"these views have {size_words(self.size)} pixels, got size {size}")
        places: dict[int, list[tuple[int, int]]] = {}
        for number, view in enumerate(views):
            for place, index in enumerate(view.indices.tolist()):
                places.setdefault(index, []).append((number, place))
        out = None
        for index, picture in reader.each_at(list(places), short_side=self.side(reader)):
            if out is None:
                packed = picture.movedim(0, -1).is_contiguous()
                out = _room(len(views), self.clip.frames, rows_columns(self.size), packed=packed)
            cut: dict[int, np.ndarray] = {}
            for number, place in places[index]:
                view = views[number]
                if view.crop not in cut:
                    cut[view.crop] = self.crop(picture[None], view)[0].numpy()
                out[number, place] = cut[view.crop]
        assert out is not None  # each view has a frame
        return torch.from_numpy(out)


def _room(views: int, frames: int, size: tuple[int, int], *, packed: bool) -> UInt8[np.ndarray, "v f c y x"]:
    """Room for views; `packed`: with the colours of a pixel side by side in memory.

    Copying from one order to the other takes a multiple of the time. numpy asks the system for large pages, which saves
    a third of it.
    """
    if packed:
        return np.moveaxis(np.empty((views, frames, *size, 3), np.uint8), -1, 2)
    return np.empty((views, frames, 3, *size), np.uint8)


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
            top, left = (max(0, min(getattr(box, side) for box in drawn)) for side in ("top", "left"))
            bottom = min(picture[0], max(box.top + box.height for box in drawn))
            right = min(picture[1], max(box.left + box.width for box in drawn))
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
