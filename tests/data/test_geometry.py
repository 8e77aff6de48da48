"""Boxes of testing against numbers that were worked out by hand, and against the frameworks' own formulas."""

import math

import pytest

from vidtok.data.geometry import covering_side, crop_boxes, crop_names, whole_box
from vidtok.types import Box
from vidtok.video.rgb import scaled_size

RULES = (
    *("vidtok", "torchcodec", "segments", "scenic", "mmaction2", "pyslowfast"),
    *("pytorchvideo", "pytorchvideo_uniform"),
)
UP = ("pyslowfast", "pytorchvideo", "pytorchvideo_uniform")


def lefts(rule, crops, *, width=151, height=112, size=112):
    return [box.left for box in crop_boxes(height, width, size=size, crops=crops, rule=rule)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("spare", range(12))
def test_three_crops_of_wide_and_upright_pictures(rule, spare):
    """Each framework's formula, for even, odd and no spare pixels on either side."""
    for other in range(min(spare, 3) + 1):
        middle, beside = (math.ceil(s / 2) if rule in UP or rule == "scenic" else s // 2 for s in (spare, other))
        end = 2 * (spare // 2) if rule == "mmaction2" else spare
        wide = crop_boxes(32 + other, 32 + spare, size=32, crops=3, rule=rule)
        assert [(box.top, box.left) for box in wide] == [(beside, 0), (beside, middle), (beside, end)]
        if spare > other:
            upright = crop_boxes(32 + spare, 32 + other, size=32, crops=3, rule=rule)
            assert [(box.top, box.left) for box in upright] == [(0, beside), (middle, beside), (end, beside)]


@pytest.mark.parametrize("rule", RULES)
def test_the_centre_crop(rule):
    for spare in range(9):
        centre = math.ceil(spare / 2) if rule in UP else spare // 2
        (box,) = crop_boxes(32 + spare, 33 + spare, size=32, crops=1, rule=rule)
        assert box.top == centre
        assert box.left == (math.ceil((spare + 1) / 2) if rule in UP else (spare + 1) // 2)


def test_the_middle_of_three_is_the_centre_for_vidtok():
    """39 to spare: down, where half to even took 20, and 37: down as well, where it took 18."""
    assert lefts("vidtok", 3) == [0, 19, 39]
    assert lefts("vidtok", 1) == [19]
    assert lefts("vidtok", 3, width=149) == [0, 18, 37]
    assert lefts("pyslowfast", 3) == [0, 20, 39]
    assert lefts("mmaction2", 3) == [0, 19, 38]


def test_ten_crops():
    boxes = crop_boxes(39, 46, size=32, crops=10)
    assert [(box.top, box.left) for box in boxes[:5]] == [(0, 0), (0, 14), (7, 0), (7, 14), (3, 7)]
    assert boxes[5:] == [Box(top=b.top, left=b.left, height=32, width=32, flip=True) for b in boxes[:5]]
    # mmaction2: steps of 7 // 4 and 14 // 4, four of them to the end.
    theirs = crop_boxes(39, 46, size=32, crops=10, rule="mmaction2")
    assert [(box.top, box.left) for box in theirs[:5]] == [(0, 0), (0, 12), (4, 0), (4, 12), (2, 6)]
    assert (crop_boxes(39, 46, size=32, crops=10, rule="pyslowfast")[4].top, len(boxes)) == (4, 10)
    assert len(crop_names(10, height=39, width=46, size=32)) == 10


def test_crops_of_another_shape_go_where_more_is_left_over():
    wide = crop_boxes(40, 64, size=(32, 60), crops=3)
    assert [(box.top, box.left, box.height, box.width) for box in wide] == [
        (0, 2, 32, 60),
        (4, 2, 32, 60),
        (8, 2, 32, 60),
    ]
    assert crop_names(3, height=40, width=64, size=(32, 60)) == ("top", "centre", "bottom")
    assert crop_names(3, height=40, width=64, size=32) == ("left", "centre", "right")


def test_what_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="a crop of 32 x 32 does not fit into a picture of 20 x 50"):
        crop_boxes(20, 50, size=32, crops=3)
    with pytest.raises(ValueError, match="crops are 1, 3 or 10, got 2"):
        crop_boxes(50, 50, size=32, crops=2)
    with pytest.raises(ValueError, match="needs pad or squeeze"):
        whole_box(50, 50, size=32, fit="crop")


@pytest.mark.parametrize(
    ("picture", "size", "box"),
    [
        ((90, 160), 56, (-35, 0, 160, 160)),
        ((160, 90), 56, (0, -35, 160, 160)),
        ((90, 161), 56, (-35, 0, 161, 161)),  # the odd pixel is below
        ((90, 160), (45, 80), (0, 0, 90, 160)),
        ((100, 100), (45, 80), (0, -39, 100, 178)),
    ],
)
def test_the_smallest_box_of_the_shape_around_a_picture(picture, size, box):
    found = whole_box(*picture, size=size, fit="pad")
    assert (found.top, found.left, found.height, found.width) == box
    assert whole_box(*picture, size=size, fit="squeeze") == Box(top=0, left=0, height=picture[0], width=picture[1])


@pytest.mark.parametrize("picture", [(90, 160), (160, 90), (100, 100), (91, 333), (333, 91), (7, 500)])
def test_pictures_are_scaled_until_the_crop_fits(picture):
    assert covering_side(picture, size=56, short_side=64) == 64
    for size in ((56, 100), (100, 56), (32, 33)):
        side = covering_side(picture, size=size, short_side=min(size))
        rows, columns = scaled_size(picture, side)
        assert rows >= size[0]
        assert columns >= size[1]
        smaller = scaled_size(picture, side - 2)
        assert smaller[0] < size[0] or smaller[1] < size[1]
        assert covering_side(picture, size=size, short_side=2 * min(size)) >= 2 * side - 2
