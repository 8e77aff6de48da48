"""Plans of clips and boxes, and the pixels that they ask for, on pictures of which every pixel is known."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.video.clips import make_clip
from vidtok.data.augment import Augment
from vidtok.data.transforms import crop_resize, jitter_box, random_box, spatial_crop
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews, decode_once
from vidtok.types import Box, Frames
from vidtok.video.protocols import ClipRule
from vidtok.video.pyav import PyAVReader

PTS = torch.arange(40, dtype=torch.float64) / 25
CLIP = ClipRule(frames=4, stride=3)
TRAIN = TrainViews(clip=CLIP, size=16, crop=ResizedCrop(scale=(0.3, 0.9), ratio=(0.8, 1.25)), flip=True, repeats=3)
TESTED = TestViews(clip=CLIP, size=16, short_side=24, clips=3, crops=3)


@dataclass
class Pictures:
    """A reader of noise; it notes what it was asked for."""

    asked: list[tuple[list[int], int | None]] = field(default_factory=list)
    path: Path = Path("noise")
    pts_seconds: torch.Tensor = field(default_factory=lambda: PTS)
    fps: float = 25.0
    size: tuple[int, int] = (24, 36)

    def __len__(self):
        return len(self.pts_seconds)

    def all(self):
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (len(self), 3, *self.size), generator=generator, dtype=torch.uint8)

    def frames_at(self, indices, *, short_side=None):
        self.asked.append((list(indices), short_side))
        return Frames(pixels=self.all()[torch.tensor(indices)], pts_seconds=self.pts_seconds[torch.tensor(indices)])

    def each_at(self, indices, *, short_side=None):
        self.asked.append((list(indices), short_side))
        for index in sorted(set(indices)):
            yield index, self.all()[index]

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_every_frame_is_asked_for_once_and_found_again():
    reader = Pictures()
    views = TRAIN.views(PTS, np.random.default_rng(0))
    drawn = [Box(top=1, left=2, height=3, width=4) for _ in views]
    pixels, rows, boxes = decode_once(reader, views, lambda picture: drawn)
    assert boxes == drawn
    ((asked, short_side),) = reader.asked
    assert short_side is None
    assert asked == sorted({int(index) for view in views for index in view.indices})
    for view, row in zip(views, rows, strict=True):
        assert torch.equal(pixels[row], reader.all()[view.indices])


@pytest.mark.parametrize("rotation", [0, 90])
def test_only_the_part_that_the_boxes_cover_is_kept_of_a_video(tmp_path, rotation):
    path = make_clip(tmp_path / "clip.mp4", rotation=rotation)
    with PyAVReader(path) as video:
        views = TRAIN.views(video.pts_seconds, np.random.default_rng(0))
        drawn = [Box(top=9 + k, left=30 - k, height=20, width=12 + k, flip=bool(k % 2)) for k in range(len(views))]
        pictures = []
        pixels, rows, boxes = decode_once(video, views, lambda picture: pictures.append(picture) or drawn)
        assert pictures == [video.size]
        assert pixels.shape[2:] == (20 + len(views) - 1, 12 + len(views) - 1)
        for view, row, box, whole in zip(views, rows, boxes, drawn, strict=True):
            expected = crop_resize(video.frames_at(view.indices.tolist()).pixels, whole, size=16)
            assert torch.equal(crop_resize(pixels[row], box, size=16), expected)


def test_testing_views_against_a_plain_loop():
    reader, rng = Pictures(), np.random.default_rng(0)
    views = TESTED.views(PTS, rng)
    assert [(view.clip, view.crop) for view in views] == [(clip, crop) for clip in range(3) for crop in range(3)]
    cut = TESTED.cut(reader, views, rng)
    for view, out in zip(views, cut, strict=True):
        whole = reader.all()[view.indices]
        assert torch.equal(out, spatial_crop(whole, size=16, crop=view.crop, crops=3))
        assert torch.equal(out, TESTED.crop(whole, view))
    ((_, short_side),) = reader.asked
    assert short_side == 24
    assert len({tuple(view.indices.tolist()) for view in views}) == 3


@pytest.mark.parametrize("short_side", [64, 48])
def test_testing_views_have_the_order_of_bytes_that_the_decoder_gives(tmp_path, short_side):
    """Pictures at their own size have the colours of a pixel side by side, scaled ones have a plane for each colour."""
    views, rng = replace(TESTED, short_side=short_side), np.random.default_rng(0)
    with PyAVReader(make_clip(tmp_path / "clip.mp4")) as video:
        planned = views.views(video.pts_seconds, rng)
        cut = views.cut(video, planned, rng)
        for view, out in zip(planned, cut, strict=True):
            whole = video.frames_at(view.indices.tolist(), short_side=short_side).pixels
            assert torch.equal(out, spatial_crop(whole, size=16, crop=view.crop, crops=3))
    assert cut.movedim(2, -1).is_contiguous() if short_side == 64 else cut.is_contiguous()


def test_training_views_against_a_plain_loop():
    """All places first, then all boxes, then the augmentation of each clip: from one generator."""
    augment = Augment(color_jitter_prob=0.7, grey_prob=0.3, erase_prob=0.6)
    for views, size in ((TRAIN, None), (replace(TRAIN, augment=augment), None), (replace(TRAIN, augment=augment), 24)):
        reader = Pictures()
        rng, naive = (np.random.default_rng(11) for _ in range(2))
        planned = views.views(PTS, rng)
        cut = views.cut(reader, planned, rng, size=size)
        starts = [int(naive.integers(31)) for _ in range(3)]
        boxes = [random_box(24, 36, naive, scale=(0.3, 0.9), ratio=(0.8, 1.25), flip=True) for _ in range(3)]
        for start, box, out in zip(starts, boxes, cut, strict=True):
            expected = crop_resize(reader.all()[start : start + 10 : 3], box, size=size or 16)
            if views.augment is not None:
                expected = augment(expected, naive)
            assert torch.equal(out, expected)


def test_boxes_of_scale_jitter_do_not_depend_on_the_size_of_the_step():
    crop = JitteredCrop(short_side=(16, 24), independent=True)
    views = replace(TRAIN, crop=crop, repeats=2)
    rng, naive = (np.random.default_rng(2) for _ in range(2))
    expected = [jitter_box(48, 64, naive, size=16, short_side=(16, 24), independent=True, flip=True) for _ in range(2)]
    assert views.boxes((48, 64), rng) == expected
    reader = Pictures()
    assert views.cut(reader, views.views(PTS, rng), rng, size=40).shape == (2, 4, 3, 40, 40)  # above the jitter's range


def test_counts_and_the_view_that_stands_for_all():
    assert TRAIN.count == 3
    assert (TESTED.count, TESTED.single) == (9, 4)
    assert replace(TESTED, clips=1, crops=1).single == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="short_side 24 is smaller"):
        replace(TESTED, size=32)
    with pytest.raises(ValueError, match="repeats count from 1"):
        replace(TRAIN, repeats=0)
    views = TESTED.views(PTS, np.random.default_rng(0))
    with pytest.raises(ValueError, match="these views have 16 pixels, got size 24"):
        TESTED.cut(Pictures(), views, np.random.default_rng(0), size=24)
