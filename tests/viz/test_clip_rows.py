"""Clips as rows of frames."""

import numpy as np
import pytest
import torch

from vidtok.viz.clip_rows import LINE, clip_rows, target_words
from vidtok.viz.overlay import GAP


def grey(*levels):
    """Clips whose frames are of one grey each."""
    return torch.tensor(levels, dtype=torch.uint8)[:, :, None, None, None].expand(-1, -1, 3, 8, 16).contiguous()


def at(picture, *, row, column, cell=(20, 40)):
    """The grey in the middle of a frame."""
    x, y = GAP + column * (cell[1] + 2) + cell[1] // 2, GAP + LINE + row * (LINE + cell[0] + GAP) + cell[0] // 2
    return np.asarray(picture)[y, x].tolist()


def test_frames_stand_in_order():
    picture = clip_rows(grey([10, 20, 30], [40, 50, 60]), ["one", "two"], cells=3, cell_height=20)
    seen = [[at(picture, row=row, column=column)[0] for column in range(3)] for row in range(2)]
    assert seen == [[10, 20, 30], [40, 50, 60]]
    assert picture.height == GAP + 2 * (LINE + 20 + GAP)
    assert picture.width == GAP + 3 * 40 + 2 * 2 + GAP


def test_of_long_clips_frames_are_spread_from_the_first_to_the_last():
    picture = clip_rows(grey(list(range(100, 117))), ["one"], cells=5, cell_height=20)
    assert [at(picture, row=0, column=column)[0] for column in range(5)] == [100, 104, 108, 112, 116]


def test_single_frames_share_a_row():
    picture = clip_rows(grey([10], [20], [30]), ["a", "b", "c"], cells=2, cell_height=20)
    assert picture.width == GAP + 2 * (40 + GAP)
    assert np.asarray(picture)[GAP + LINE + 10, GAP + 40 + GAP + 20, 0] == 20
    assert at(picture, row=1, column=0)[0] == 30


def test_titles_belong_to_clips():
    for clips, titles in ((grey([1], [2]), ["a"]), (grey([1])[:0], [])):
        with pytest.raises(ValueError, match="one title for each clip"):
            clip_rows(clips, titles)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ([0.0, 1.0, 0.0], "left"),
        ([0.62, 0.38, 0.0], "right 0.62 + left 0.38"),
        ([0.1, 0.9, 0.0], "left 0.90 + right 0.10"),
        ([1.0, 0.0, 1.0], "up + right"),
        ([0.0, 0.0, 0.0], "no class"),
    ],
)
def test_targets_in_words(target, words):
    assert target_words(target, ["right", "left", "up"]) == words


def test_many_classes_are_cut():
    assert target_words([1.0] * 3, ["a", "b", "c"], most=2) == "c + b …"


def test_large_frames_are_made_smaller_without_flicker():
    """Lines of one pixel become their mean, wherever they begin."""
    stripes = torch.zeros(1, 1, 3, 64, 128, dtype=torch.uint8)
    stripes[..., ::2] = 200
    picture = np.asarray(clip_rows(stripes, ["one"], cells=1, cell_height=16))
    inside = picture[GAP + LINE + 2 : GAP + LINE + 14, GAP + 2 : GAP + 30]
    assert abs(inside.astype(int) - 100).max() <= 2
    with pytest.raises(ValueError, match="got 1 and 2"):
        clip_rows(stripes, ["a", "b"])
    assert clip_rows(stripes, ["one"]).height == GAP + LINE + 112 + GAP
    assert clip_rows(stripes.expand(-1, 20, -1, -1, -1), ["one"]).width == GAP + 8 * 224 + 7 * 2 + GAP


def test_small_shares_of_a_target_are_left_out():
    assert target_words([0.996, 0.004], ["a", "b"]) == "a"
    assert target_words([0.99, 0.01], ["a", "b"]) == "a 0.99 + b 0.01"
    assert target_words([1.0] * 5, ["a", "b", "c", "d", "e"]) == "e + d + c + b …"
