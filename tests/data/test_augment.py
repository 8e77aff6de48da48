"""Augmentation after the crop: every part does something, to all frames the same, by the caller's generator alone."""

import colorsys

import numpy as np
import pytest
import torch

from vidtok.data.augment import Augment, color_jitter, erase
from vidtok.data.rand_augment import RandAugment

PARTS = {
    "color_jitter_prob": 1.0,
    "grey_prob": 1.0,
    "auto_augment": True,
    "rand_augment": RandAugment(magnitude=9, prob=1.0),
    "erase_prob": 1.0,
}


def noise(frames=3, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(20, 230, (frames, 3, size, size), dtype=torch.uint8, generator=generator)


def test_by_default_nothing_happens():
    x = noise()
    assert torch.equal(Augment()(x, np.random.default_rng(0)), x)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_changes_all_frames_alike(part):
    augment = Augment(**{part: PARTS[part]})
    still = noise(frames=1).expand(4, 3, 32, 32).contiguous()
    before = still.clone()
    outs = [augment(still, np.random.default_rng(seed)) for seed in range(8)]
    assert torch.equal(still, before), "the input was changed in place"
    assert sum(not torch.equal(out, still) for out in outs) >= 6
    for seed, out in enumerate(outs):
        assert out.dtype == torch.uint8
        assert out.shape == still.shape
        assert all(torch.equal(frame, out[0]) for frame in out)
        assert torch.equal(augment(still, np.random.default_rng(seed)), out)
    if part != "grey_prob":
        assert any(not torch.equal(outs[0], out) for out in outs[1:])


def test_torchs_generator_is_neither_read_nor_moved():
    augment = Augment(**{name: value for name, value in PARTS.items() if name != "auto_augment"})
    outs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        outs.append(augment(noise(), np.random.default_rng(7)))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*outs)


@pytest.mark.parametrize("part", ["color_jitter_prob", "grey_prob", "erase_prob"])
def test_parts_happen_as_often_as_they_should(part):
    rng = np.random.default_rng(0)
    augment, x = Augment(**{part: 0.25}), noise(frames=1, size=8)
    changed = np.mean([not torch.equal(augment(x, rng), x) for _ in range(800)])
    assert 0.2 < changed < 0.3


def test_grey_is_luma():
    x = noise(frames=2, size=4)
    out = Augment(grey_prob=1.0)(x, np.random.default_rng(0))
    red, green, blue = x.double().unbind(1)
    assert (out.double() - (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)).abs().max() <= 1


class Fixed(np.random.Generator):
    """A generator whose uniform draws are given."""

    def __init__(self, *draws):
        super().__init__(np.random.PCG64(0))
        self.draws = list(draws)

    def uniform(self, low, high, size=None):
        draw = self.draws.pop(0)
        assert np.all((low <= np.asarray(draw)) & (np.asarray(draw) <= high))
        return np.asarray(draw) if size else draw


@pytest.mark.parametrize(
    ("brightness", "hue", "saturation", "contrast"),
    [(20.0, 0.0, 1.0, 1.0), (0.0, 0.15, 1.0, 1.0), (0.0, 0.0, 0.6, 1.0), (0.0, 0.0, 1.0, 1.4), (-30.0, -0.2, 1.4, 0.7)],
)
def test_color_jitter_is_its_formula(brightness, hue, saturation, contrast):
    x = noise(frames=2, size=5)
    out = color_jitter(x, Fixed(brightness, hue, [saturation, contrast]))

    def luma(p):
        return 0.2989 * p[0] + 0.587 * p[1] + 0.114 * p[2]

    def clamp(p):
        return [min(255.0, max(0.0, value)) for value in p]

    for frame in range(2):
        points = x[frame].flatten(1).T.double().tolist()
        points = [clamp(value + brightness for value in p) for p in points]
        points = [clamp(luma(p) + saturation * (value - luma(p)) for value in p) for p in points]
        mean = sum(luma(p) for p in points) / len(points)
        points = [clamp(mean + contrast * (value - mean) for value in p) for p in points]
        for place, point in enumerate(points):
            h, s, v = colorsys.rgb_to_hsv(*(value / 255 for value in point))
            expected = torch.tensor(colorsys.hsv_to_rgb((h + hue) % 1, s, v)) * 255
            # Whole grey levels between the steps: a few levels of difference, amplified by contrast and hue.
            assert (out[frame].flatten(1)[:, place].double() - expected).abs().max() <= 5


def test_color_jitter_draws_within_vivits_ranges():
    rng = np.random.default_rng(0)
    flat = torch.full((1, 3, 8, 8), 128, dtype=torch.uint8)
    # A grey picture shows brightness alone: it has no saturation, no hue and no contrast.
    shifts = np.array([int(color_jitter(flat, rng)[0, 0, 0, 0]) - 128 for _ in range(500)])
    assert shifts.min() < -28
    assert shifts.max() > 28
    assert np.abs(shifts).max() <= 33
    assert abs(shifts.mean()) < 3


def test_erased_boxes():
    rng = np.random.default_rng(0)
    areas, ratios, tops, values = [], [], [], []
    for _ in range(400):
        x = torch.full((2, 3, 64, 64), 7, dtype=torch.uint8)
        out = erase(x, rng)
        assert torch.equal(out[0], out[1])
        rows, columns = (((out[0] != 7).any(0)).any(axis).nonzero().flatten() for axis in (1, 0))
        height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        inside = out[0, :, rows[0] : rows[0] + height, columns[0] : columns[0] + width]
        values.append(inside.double().mean())
        if inside.numel() > 300:
            assert inside.unique().numel() > 100  # noise, not a colour
        areas.append(height * width / 64**2)
        ratios.append(width / height)
        tops.append(int(rows[0]))
    assert 0.015 < min(areas) < 0.04
    assert 0.3 < max(areas) < 0.35
    assert 0.25 < min(ratios) < 0.4
    assert 2.5 < max(ratios) < 3.7
    assert len(set(tops)) > 25
    assert abs(np.mean(values) - 127.5) < 3


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"erase_prob is a probability from 0 to 1, got 1\.5"):
        Augment(erase_prob=1.5)
    with pytest.raises(ValueError, match="choose one"):
        Augment(auto_augment=True, rand_augment=RandAugment(magnitude=9))
