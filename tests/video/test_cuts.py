"""Hard cuts: found at their frame; motion, a flash and noise are none."""

import numpy as np
import pytest
import torch

from vidtok.video.cuts import CutFinder, cut_places


def scene(seed: int, frames: int, *, drift: int = 1) -> list[torch.Tensor]:
    """A picture of coarse blocks that moves to the right."""
    blocks = np.random.default_rng(seed).integers(0, 256, (3, 6, 40)).repeat(8, 1).repeat(8, 2)
    return [
        torch.from_numpy(np.roll(blocks, drift * f, axis=2)[:, :, :64].astype(np.uint8).copy()) for f in range(frames)
    ]


def found(pictures: list[torch.Tensor], fps: float = 25.0) -> list[int]:
    finder = CutFinder()
    for picture in pictures:
        finder.see(picture)
    return finder.cuts(fps)


def test_a_cut_is_found_at_the_frame_with_which_the_shot_begins():
    assert found([*scene(0, 20), *scene(1, 9), *scene(2, 20)]) == [20, 29]


def test_motion_a_flash_and_noise_are_none():
    assert found(scene(0, 60, drift=9)) == []
    flashed = scene(0, 40)
    flashed[20] = torch.full_like(flashed[20], 255)
    assert found(flashed) == []
    noisy = [torch.full((3, 48, 64), 100 + f % 2, dtype=torch.uint8) for f in range(20)]
    assert found([*noisy, *[picture + 3 for picture in noisy]]) == []
    assert found(scene(0, 1)) == []


def test_pictures_of_any_size_and_those_that_change_it():
    small = [picture[:, ::2, ::2] for picture in scene(1, 20)]
    assert found([*scene(0, 20), *small]) == [20]


@pytest.mark.parametrize(
    ("differences", "places"),
    [
        ([0, 1, 1, 10, 1, 1, 1], [3]),
        ([0, 1, 4.1, 10, 1, 1, 1], []),
        ([0, 1, 3.9, 10, 1, 1, 1], [3]),
        ([0, 5, 1, 1, 10, 1, 1], [1, 4]),
        ([0, 5, 1, 10, 1, 1, 1], []),
        ([0, 0, 3.9, 0, 0], []),
        ([0, 0, 4.0, 0, 0], [2]),
        ([0, 0, 0, 0, 9], [4]),
        ([9, 9, 0, 0, 0], []),
    ],
)
def test_the_largest_around_by_the_ratio_and_the_least(differences, places):
    assert cut_places([float(each) for each in differences], reach=2, ratio=2.5, least=4.0) == places
