"""Crops and boxes on pictures in which every pixel is known."""

import numpy as np
import pytest
import torch

from vidtok.data.transforms import crop_resize, random_box, spatial_crop
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
