"""Crops and boxes on pictures in which every pixel is known."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from vidtok.data.transforms import box_reach, crop_resize, cut_box, flip_warning, jitter_box, name_sides, random_box
from vidtok.types import Box


def picture(height, width, frames=2):
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    columns = torch.arange(width).view(1, -1).expand(height, width)
    return torch.stack([rows, columns, rows * 0]).to(torch.uint8).expand(frames, 3, height, width).contiguous()


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


@pytest.mark.parametrize(
    ("picture_size", "scale", "largest", "central"),
    [
        ((720, 1280), (0.75, 1.0), 0.703, 1.0),  # a box of 720 x 900: never 75 %
        ((1280, 720), (0.75, 1.0), 0.703, 1.0),
        ((480, 640), (0.75, 1.0), 0.9375, 0.129),
        ((500, 500), (0.75, 1.0), 1.0, 0.02),
        ((720, 1280), (0.3, 1.0), 0.703, 0.005),
    ],
)
def test_what_a_range_of_boxes_comes_to(picture_size, scale, largest, central):
    ratio = (0.8, 1.25)
    reach = box_reach(*picture_size, scale=scale, ratio=ratio)
    assert reach.largest == pytest.approx(largest, abs=2e-3)
    assert reach.central == pytest.approx(central, abs=0.02)
    rng = np.random.default_rng(0)
    boxes = [random_box(*picture_size, rng, scale=scale, ratio=ratio, flip=False) for _ in range(2000)]
    shares = [box.height * box.width / (picture_size[0] * picture_size[1]) for box in boxes]
    most = max((shares.count(share) for share in set(shares)), default=0) / len(shares)
    assert max(shares) == pytest.approx(largest, abs=0.02)
    if central > 0.5:
        assert most == pytest.approx(reach.central, abs=0.02)
    else:
        assert most < central + 0.05


def test_a_shape_of_its_own_makes_the_ratio_relative():
    rng = np.random.default_rng(0)
    boxes = [
        random_box(90, 160, rng, scale=(0.8, 0.9), ratio=(0.95, 1.05), flip=False, shape=16 / 9) for _ in range(300)
    ]
    aspects = np.array([box.width / box.height for box in boxes])
    assert abs(aspects.mean() - 16 / 9) < 0.01
    assert 1.65 < aspects.min() < aspects.max() < 1.9
    assert box_reach(90, 160, scale=(0.75, 1.0), ratio=(0.8, 1.25), shape=16 / 9).largest == 1.0


def test_what_lies_beyond_the_picture_is_black():
    pixels = torch.full((2, 3, 10, 20), 200, dtype=torch.uint8)
    out = crop_resize(pixels, Box(top=-5, left=0, height=20, width=20), size=40)
    assert out.shape == (2, 3, 40, 40)
    assert int(out[:, :, :9].max()) == int(out[:, :, 31:].max()) == 0
    assert int(out[:, :, 12:28].min()) == 200
    assert crop_resize(pixels, Box(top=0, left=0, height=10, width=20), size=(5, 30)).shape == (2, 3, 5, 30)


def test_a_cut_is_a_view_unless_it_is_mirrored():
    pixels = picture(20, 30)
    cut = cut_box(pixels, Box(top=2, left=5, height=8, width=12))
    assert torch.equal(cut, pixels[:, :, 2:10, 5:17])
    assert cut.untyped_storage().data_ptr() == pixels.untyped_storage().data_ptr()
    assert torch.equal(cut_box(pixels, Box(top=2, left=5, height=8, width=12, flip=True)), cut.flip(-1))


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
    assert {box.left for box in boxes} >= {0, width - max(widths)}
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


@pytest.mark.parametrize("picture_size", [(480, 640), (640, 480), (100, 400)])
def test_jitter_boxes_of_another_shape_have_it_and_fit(picture_size):
    rng = np.random.default_rng(0)
    options = {"size": (112, 224), "short_side": (128, 160), "independent": False, "flip": False}
    boxes = [jitter_box(*picture_size, rng, **options) for _ in range(200)]
    for box in boxes:
        assert 0 <= box.top <= picture_size[0] - box.height
        assert 0 <= box.left <= picture_size[1] - box.width
        assert box.width / box.height == pytest.approx(2, abs=0.05)
    # The largest: a crop of 112 x 224 out of a picture that is scaled to cover 128 x 256.
    most = max(box.height for box in boxes)
    assert most == pytest.approx(112 / max(128 / picture_size[0], 256 / picture_size[1]), rel=0.03)


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
    assert "`flip`=false" in warning
    assert "…" not in (flip_warning(sides[:1]) or "…")


@pytest.mark.parametrize(("height", "width"), [(90, 160), (160, 90)])
def test_the_share_of_central_boxes_counts_what_lies_within_a_picture_of_any_shape(height, width):
    """By a plain loop over the same grid of draws."""
    scale, ratio = (0.5, 1.0), (0.9, 2.0)
    fits = []
    for share in np.linspace(*scale, 200):
        for shape in np.exp(np.linspace(*np.log(ratio), 200)):
            w, h = round((share * height * width * shape) ** 0.5), round((share * height * width / shape) ** 0.5)
            fits.append(0 < w <= width and 0 < h <= height)
    wanted = (1 - np.mean(fits)) ** 10
    assert 0 < wanted < 1
    assert box_reach(height, width, scale=scale, ratio=ratio).central == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("box", [(2, 3, 10, 17), (-4, -2, 30, 20), (5, 12, 20, 30), (-30, 3, 10, 9), (21, 31, 5, 5)])
def test_crop_resize_gives_the_pixels_of_torchvision(box):
    pixels = torch.randint(256, (2, 3, 20, 30), dtype=torch.uint8)
    theirs = functional.resized_crop(pixels, *box, [8, 9], antialias=True)
    top, left, height, width = box
    ours = crop_resize(pixels, Box(top=top, left=left, height=height, width=width, flip=False), size=(8, 9))
    assert torch.equal(ours, theirs)
