"""Plans of clips and boxes, and the pixels that they ask for, on pictures of which every pixel is known."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.video.clips import make_clip
from vidtok.data.augment import Augment
from vidtok.data.geometry import crop_boxes, whole_box
from vidtok.data.transforms import crop_resize, cut_box, jitter_box, random_box
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews, decode_once
from vidtok.types import Box, Frames
from vidtok.video.protocols import ClipRule
from vidtok.video.pyav import PyAVReader

PTS = torch.arange(40, dtype=torch.float64) / 25
CLIP = ClipRule(frames=4, stride=3)
TRAIN = TrainViews(clip=CLIP, size=16, crop=ResizedCrop(scale=(0.3, 0.9), ratio=(0.8, 1.25)), flip=True, repeats=3)
TESTED = TestViews(clip=CLIP, size=16, short_side=24, clips=3, crops=3)


def spatial_crop(pixels, *, size, crop, crops):
    return cut_box(pixels, crop_boxes(*pixels.shape[-2:], size=size, crops=crops)[crop])


@dataclass
class Pictures:
    """A reader of noise; it notes what it was asked for."""

    asked: list[tuple[list[int], int | None]] = field(default_factory=list)
    path: Path = Path("noise")
    pts_seconds: torch.Tensor = field(default_factory=lambda: PTS)
    fps: float = 25.0
    size: tuple[int, int] = (24, 36)
    start_seconds: float = 0.0
    damaged: frozenset[int] | None = frozenset()

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

    def renew_deadline(self):
        pass

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


WIDE, UPRIGHT = (24, 48), (48, 24)


@pytest.mark.parametrize("fit", ["pad", "squeeze"])
@pytest.mark.parametrize("size", [16, (16, 20)])
@pytest.mark.parametrize("picture", [WIDE, UPRIGHT, (24, 24)])
def test_training_and_testing_show_all_of_a_picture_alike(fit, size, picture):
    """The corners of the picture are seen, and a training box of everything gives bit for bit what testing sees."""
    reader, rng = Pictures(size=picture), np.random.default_rng(0)
    tested = TestViews(clip=CLIP, size=size, short_side=None, clips=2, crops=1, fit=fit)
    crop = ResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0), fit=fit)
    trained = TrainViews(clip=CLIP, size=size, crop=crop, flip=False)
    views = tested.views(PTS, rng)
    seen = tested.cut(reader, views, rng)
    rows, columns = (16, 16) if size == 16 else size
    assert seen.shape == (2, 4, 3, rows, columns)
    ((_, short_side),) = reader.asked
    assert short_side is None
    for view, out in zip(views, seen, strict=True):
        assert torch.equal(out, trained.cut(reader, [view], rng)[0])
        whole = whole_box(*picture, size=size, fit=fit)
        assert torch.equal(out, crop_resize(reader.all()[view.indices], whole, size=size))
    lit = Pictures(size=picture)
    lit.all = lambda: torch.full((40, 3, *picture), 255, dtype=torch.uint8)
    share = (tested.cut(lit, views, rng)[0, 0, 0] > 127).float().mean()
    seen_share = min(picture[0] / picture[1] / (rows / columns), picture[1] / picture[0] * rows / columns)
    assert float(share) == pytest.approx(1.0 if fit == "squeeze" else seen_share, abs=0.06)


@pytest.mark.parametrize("fit", ["pad", "squeeze"])
def test_any_range_can_be_had_of_a_whole_picture(fit):
    crop = ResizedCrop(scale=(0.75, 1.0), ratio=(0.8, 1.25), fit=fit)
    for picture in ((720, 1280), (1280, 720), (480, 640)):
        assert crop.reach(*picture, size=56).central < 0.03
        boxes = [crop.box(*picture, np.random.default_rng(seed), size=56, flip=False) for seed in range(50)]
        assert len({(box.top, box.left, box.height, box.width) for box in boxes}) > 45
    assert replace(crop, fit="crop").reach(720, 1280, size=56).central == pytest.approx(1.0)
    assert replace(crop, fit="crop").reach(720, 1280, size=(90, 160)).central < 0.03


@pytest.mark.parametrize("crop_in", ["rgb", "yuv"])
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_network_need_not_see_squares(tmp_path, crop_in, rotation):
    path = make_clip(tmp_path / "clip.mp4", rotation=rotation)
    crop = ResizedCrop(scale=(0.5, 0.9), ratio=(0.9, 1.1), fit="squeeze")
    trained = TrainViews(clip=CLIP, size=(16, 40), crop=crop, flip=True, repeats=2, crop_in=crop_in)
    with PyAVReader(path) as video:
        views = trained.views(video.pts_seconds, np.random.default_rng(0))
        seen = trained.cut(video, views, np.random.default_rng(1))
        assert seen.shape == (2, 4, 3, 16, 40)
        for view, box, out in zip(views, trained.boxes(video.size, np.random.default_rng(1)), seen, strict=True):
            expected = crop_resize(video.frames_at(view.indices.tolist()).pixels, box, size=(16, 40))
            assert float((out.float() - expected.float()).abs().mean()) < (0.01 if crop_in == "rgb" else 10)
        tested = TestViews(clip=CLIP, size=(16, 40), short_side=20, clips=1, crops=3)
        cut = tested.cut(video, tested.views(video.pts_seconds, np.random.default_rng(0)), np.random.default_rng(0))
        assert cut.shape == (3, 4, 3, 16, 40)


def test_ten_crops_are_seen_mirrored_too():
    views, rng = replace(TESTED, crops=10, clips=1), np.random.default_rng(0)
    reader = Pictures()
    cut = views.cut(reader, views.views(PTS, rng), rng)
    assert cut.shape[0] == views.count == 10
    assert torch.equal(cut[5:], cut[:5].flip(-1))
    whole = reader.all()[views.views(PTS, rng)[0].indices]
    assert torch.equal(cut[views.single], whole[:, :, 4:20, 10:26])
    assert torch.equal(cut[3], whole[:, :, 8:, 20:])


def test_counts_and_the_view_that_stands_for_all():
    assert TRAIN.count == 3
    assert (TESTED.count, TESTED.single) == (9, 4)
    assert replace(TESTED, clips=1, crops=1).single == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="short_side 24 is smaller"):
        replace(TESTED, size=32)
    with pytest.raises(ValueError, match="fit=pad shows all of a picture in one view: crops is 1 then, got 3"):
        replace(TESTED, fit="pad")
    with pytest.raises(ValueError, match="fit=crop needs short_side"):
        replace(TESTED, short_side=None)
    with pytest.raises(ValueError, match="for fit=pad, which adds bars to it, take rgb"):
        replace(TRAIN, crop_in="yuv", crop=ResizedCrop(scale=(0.5, 1.0), ratio=(1.0, 1.0), fit="pad"))
    with pytest.raises(ValueError, match="repeats count from 1"):
        replace(TRAIN, repeats=0)
    views = TESTED.views(PTS, np.random.default_rng(0))
    with pytest.raises(ValueError, match="these views have 16 x 16 pixels, got size 24"):
        TESTED.cut(Pictures(), views, np.random.default_rng(0), size=24)


@pytest.mark.parametrize(("clips", "crops", "centres"), [(2, 3, [1, 4]), (3, 1, [0, 1, 2]), (1, 10, [4])])
def test_the_centre_crops_of_all_clips(clips, crops, centres):
    rule = ClipRule(frames=2, stride=1)
    views = TestViews(clip=rule, size=8, short_side=8, clips=clips, crops=crops)
    assert list(range(views.count))[views.centres_of(views.count)] == centres
    assert views.single_of(views.count) in centres
