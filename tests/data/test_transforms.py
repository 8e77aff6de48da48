"""Crops and boxes on pictures in which every pixel is known."""

import numpy as np
import pytest
import torch

from vidtok.data.transforms import crop_resize, flip_warning, jitter_box, name_sides, random_box, spatial_crop
from vidtok.types import Box


def picture(height, width, frames=2):
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    columns = torch.arange(width).view(1, -1).expand(height, width)
    return torch.stack([rows, columns, rows * 0]).to(torch.uint8).expand(frames, 3, height, width).contiguous()


def test_spatial_crops_go_from_end_to_end():
    wide = picture(20, 50)
    lefts = [int(spatial_crop(wide, size=16, crop=i, crops=3)[0, 1, 0, 0]) for i in range(3)]
    assert lefts == [0, 17, 34]
    tops = [int(spatial_crop(picture(50, 20), size=16, crop=i, crops=3)[0, 0, 0, 0]) for i in range(3)]
    assert tops == [0, 17, 34]
    centre = spatial_crop(wide, size=16, crop=0, crops=1)[0]
    assert (int(centre[0, 0, 0]), int(centre[1, 0, 0])) == (2, 17)
    assert centre.shape == (3, 16, 16)


def test_a_crop_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="does not fit"):
        spatial_crop(picture(20, 50), size=32, crop=0, crops=3)


def test_random_boxes_keep_to_their_ranges():
    rng = np.random.default_rng(0)
    boxes = [random_box(90, 120, rng, scale=(0.3, 0.8), ratio=(0.75, 4 / 3), flip=True) for _ in range(2000)]
    for box in boxes:
        assert 0 <= box.top <= 90 - box.height
        assert 0 <= box.left <= 120 - box.width
    shares = np.array([box.height * box.width / (90 * 120) for box in boxes])
    aspects = np.array([box.width / box.height for box in boxes])
    assert 0.29 < shares.min() < 0.33
    assert 0.7 < shares.max() < 0.82
    assert 0.73 < aspects.min() < 0.78
    assert 1.3 < aspects.max() < 1.36
    assert 0.45 < np.mean([box.flip for box in boxes]) < 0.55


def test_no_flip_where_none_is_wanted():
    rng = np.random.default_rng(0)
    assert not any(random_box(9, 9, rng, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=False).flip for _ in range(100))


def test_a_box_that_never_fits_becomes_the_central_one():
    box = random_box(10, 100, np.random.default_rng(0), scale=(1.0, 1.0), ratio=(0.5, 2.0), flip=False)
    assert (box.top, box.left, box.height, box.width) == (0, 40, 10, 20)


def test_crop_resize_cuts_and_mirrors_all_frames_alike():
    pixels = picture(40, 60)
    box = Box(top=4, left=8, height=16, width=16)
    out = crop_resize(pixels, box, size=16)
    assert torch.equal(out, pixels[:, :, 4:20, 8:24])
    assert torch.equal(crop_resize(pixels, Box(top=4, left=8, height=16, width=16, flip=True), size=16), out.flip(-1))
    half = crop_resize(pixels, box, size=8)
    assert half.dtype == torch.uint8
    assert (half[0, 1, 0].float() - torch.arange(8.5, 24, 2)).abs().max() <= 1


def jitter(height, width, rng, **options):
    return jitter_box(height, width, rng, **{"size": 224, "short_side": (256, 320), "independent": False, **options})


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (256, 340), (101, 333)])
@pytest.mark.parametrize("independent", [False, True])
def test_jitter_boxes_are_random_crops_of_the_scaled_picture(height, width, independent):
    rng = np.random.default_rng(0)
    boxes = [jitter(height, width, rng, independent=independent, flip=True) for _ in range(3000)]
    short = min(height, width)
    for box in boxes:
        assert 0 <= box.top <= height - box.height
        assert 0 <= box.left <= width - box.width
        assert round(224 * short / 320) <= min(box.height, box.width)
        assert max(box.height, box.width) <= round(224 * short / 256)
    heights, widths = (np.array([getattr(box, name) for box in boxes]) for name in ("height", "width"))
    # The length of the scaled short side is uniform, so that the mean of 224 * short / box is the middle of the range.
    assert abs((224 * short / heights).mean() - 288) < 2
    assert abs((224 * short / widths).mean() - 288) < 2
    correlation = np.corrcoef(heights, widths)[0, 1]
    assert abs(correlation) < 0.08 if independent else correlation == pytest.approx(1)
    spare = np.array([box.top / max(1, height - box.height) for box in boxes])
    assert abs(spare.mean() - 0.5) < 0.03
    assert {box.top for box in boxes} >= {0, height - max(heights)}
    assert 0.45 < np.mean([box.flip for box in boxes]) < 0.55


def test_a_jitter_box_is_scaling_and_then_cropping():
    picture_ = (torch.arange(120 * 160) % 251).view(1, 1, 120, 160).expand(1, 3, 120, 160).to(torch.uint8).contiguous()
    smooth = crop_resize(picture_, Box(top=0, left=0, height=120, width=160), size=120)[:, :, :120, :120]
    # The shorter side of 120 becomes 240, of which 120 rows are cut: half of the picture, twice as large.
    box = jitter_box(120, 120, np.random.default_rng(3), size=120, short_side=(240, 240), independent=False, flip=False)
    assert (box.height, box.width) == (60, 60)
    whole = crop_resize(smooth, Box(top=0, left=0, height=120, width=120), size=240)
    cut = crop_resize(smooth, box, size=120)
    there = whole[:, :, 2 * box.top : 2 * box.top + 120, 2 * box.left : 2 * box.left + 120]
    assert torch.equal(cut[..., 1:-1, 1:-1], there[..., 1:-1, 1:-1])  # at its edge the cut sees no neighbours


def test_a_jitter_box_must_fit():
    with pytest.raises(ValueError, match="at least the crop's 224"):
        jitter(480, 640, np.random.default_rng(0), short_side=(200, 320), flip=False)
    with pytest.raises(ValueError, match="low to high"):
        jitter(480, 640, np.random.default_rng(0), short_side=(320, 256), flip=False)


def test_names_that_tell_left_from_right():
    sides = ["Pushing something from left to right", "swipe_left", "SwipeRight", "turn right2", "moving leftwards"]
    others = ["standing upright", "bright light", "cleft", "copyright", "aleft", "waving"]
    assert name_sides([*others, *sides]) == sides
    assert flip_warning(others) is None
    warning = flip_warning(sides)
    assert warning is not None
    assert "swipe_left" in warning
    assert "5 of 5 class names" in warning
    assert "SwipeRight …; a mirrored" in warning
    assert "data.flip=false" in warning
    assert "…" not in (flip_warning(sides[:1]) or "…")
