"""The canvas under the moving camera: directions, time reversal, and equal distributions at every moment."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from vidtok.data import motion_render
from vidtok.data.motion_render import (
    MOTIONS,
    REACH,
    TILE,
    Track,
    draw_path,
    draw_shape,
    draw_tile,
    render_clip,
    tile_places,
)

ZERO = torch.zeros(2, dtype=torch.float64)


def rng(*seed):
    return np.random.default_rng(seed)


def path_of(*, shift=(0.0, 0.0), angle=0.0, octave=0.0, pivot=(15.0, 15.0)):
    """Two frames; the second has moved by these amounts. It starts in mid-canvas."""
    step = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return Track(
        shift=step[:, None] * torch.tensor(shift, dtype=torch.float64),
        angle=0.3 + step * angle,
        octave=0.4 + step * octave,
        pivot=torch.tensor(pivot, dtype=torch.float64),
    )


def picture_pair(path):
    return render_clip(rng(1), path, size=(31, 31), shapes=6, noise=0).int()


def test_shift_moves_right_and_down():
    before, after = picture_pair(path_of(shift=(3.0, 2.0)))
    assert (after[:, 2:, 3:] - before[:, :-2, :-3]).abs().max() <= 1
    assert (after - before).abs().float().mean() > 10


def test_angle_turns_clockwise():
    before, after = picture_pair(path_of(angle=math.pi / 2))
    assert (after - torch.rot90(before, k=-1, dims=(1, 2))).abs().max() <= 1


def test_octave_makes_larger():
    before, after = tile_places(path_of(octave=1.0), 0, ZERO + 0.5, size=(31, 31))
    torch.testing.assert_close(after[1::2, 1::2], before[8:23, 8:23])


def test_the_canvas_repeats_after_an_octave():
    """Zooming by whole octaves shows other layers at the same sizes: no scale is the largest."""
    path = path_of(octave=3.0)
    for layer in (0, 1):
        low = tile_places(path, layer, ZERO, size=(31, 31))[0]
        torch.testing.assert_close(tile_places(path, layer + 3, ZERO, size=(31, 31))[1], low)


def test_a_tile_repeats():
    tile = draw_tile(rng(2), shapes=6)
    assert tile.shape == (3, TILE, TILE)
    inside = (tile[:, :, 1:] - tile[:, :, :-1]).abs().mean()
    for seam in (tile[:, :, 0] - tile[:, :, -1], tile[:, 0] - tile[:, -1]):
        assert seam.abs().mean() < 1.5 * inside


@pytest.mark.parametrize("kind", range(4))
def test_a_pair_is_one_path_walked_both_ways(kind):
    forwards, backwards = (draw_path(rng(3), MOTIONS[2 * kind + way], frames=9, size=(80, 96)) for way in (0, 1))
    for field in ("shift", "angle", "octave"):
        assert torch.equal(getattr(forwards, field).flip(0), getattr(backwards, field)), field
    moving = [f for f in ("shift", "angle", "octave") if not torch.equal(getattr(forwards, f), getattr(backwards, f))]
    assert moving == [("shift", "shift", "angle", "octave")[kind]]
    clips = [render_clip(rng(4), path, size=(40, 48), shapes=6, noise=0) for path in (forwards, backwards)]
    assert torch.equal(clips[0].flip(0), clips[1])


def test_names_say_where_to():
    paths = {motion: draw_path(rng(5), motion, frames=12, size=(80, 96)) for motion in MOTIONS}
    change = {
        motion: torch.cat(
            [p.shift[-1] - p.shift[0], (p.angle[-1] - p.angle[0])[None], (p.octave[-1] - p.octave[0])[None]]
        )
        for motion, p in paths.items()
    }
    signs = {motion: tuple(value.sign().int().tolist()) for motion, value in change.items()}
    assert signs == {
        "right": (1, 0, 0, 0),
        "left": (-1, 0, 0, 0),
        "down": (0, 1, 0, 0),
        "up": (0, -1, 0, 0),
        "clockwise": (0, 0, 1, 0),
        "anticlockwise": (0, 0, -1, 0),
        "grow": (0, 0, 0, 1),
        "shrink": (0, 0, 0, -1),
    }
    with pytest.raises(ValueError, match="sideways"):
        draw_path(rng(5), "sideways", frames=12, size=(80, 96))


def chi_square(values, bins=8):
    """Of values in 0..1 against the uniform distribution, in standard deviations from its mean."""
    counts = np.histogram(values, bins=bins, range=(0, 1))[0]
    assert counts.sum() == len(values)
    expected = len(values) / bins
    return (((counts - expected) ** 2 / expected).sum() - (bins - 1)) / math.sqrt(2 * (bins - 1))


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_moment_of_every_class_is_distributed_alike(motion):
    """Angle, scale and the place of a layer under a pixel are uniform at the first, a middle and the last frame."""
    moments = [0, 5, 11]
    seen = []
    for clip in range(1500):
        generator = rng(6, clip)
        path = draw_path(generator, motion, frames=12, size=(8, 8))
        path = dataclasses.replace(
            path, **{name: getattr(path, name)[moments] for name in ("shift", "angle", "octave")}
        )
        corner = torch.from_numpy(generator.uniform(0, 1, 2))
        x, y = tile_places(path, 0, corner, size=(1, 1))[:, 0, 0].double().unbind(dim=1)
        angle, octave = path.angle / (2 * math.pi), path.octave
        # Sums of two uniform phases are uniform as well if the two are independent.
        seen.append(torch.stack([angle, octave, x, y, angle + octave, angle + x, octave + y]).remainder(1))
    for values in torch.stack(seen).flatten(1).T.numpy():
        assert chi_square(values) < 5


def test_the_checker_sees_a_distribution_that_is_not_uniform():
    assert chi_square(rng(7).uniform(0, 1, 1500) ** 1.2) > 5


def test_speeds_and_pivots_keep_to_their_bounds_and_reach_them():
    seen = {
        motion: [draw_path(rng(8, i), motion, frames=2, size=(60, 100)) for i in range(150)] for motion in MOTIONS[::2]
    }
    speeds = {
        "right": [float(path.shift.diff(dim=0)[0, 0]) for path in seen["right"]],
        "down": [float(path.shift.diff(dim=0)[0, 1]) for path in seen["down"]],
        "clockwise": [25 * float(path.angle.diff()) for path in seen["clockwise"]],
        "grow": [25 * float(2 ** path.octave.diff() - 1) for path in seen["grow"]],
    }
    for motion, values in speeds.items():  # pixels; of a turn and a zoom those of a point 25 pixels from the pivot
        low, high = (1.4, 3.35) if motion == "grow" else (1.5, 3.5)
        assert low <= min(values) < low + 0.1, motion
        assert high - 0.15 < max(values) <= high, motion
    away = torch.stack([path.pivot for path in seen["right"]]) - torch.tensor([49.5, 29.5], dtype=torch.float64)
    assert (away.abs().amax(0) / torch.tensor([100, 60])).tolist() == pytest.approx([0.08, 0.08], abs=0.003)


def test_shapes_are_discs_and_polygons_of_some_size_and_two_lights():
    reach, cover, colours, holes = [], [], [], []
    for number in range(300):
        tile = np.zeros((3, TILE, TILE))
        draw_shape(rng(9, number), tile)
        inside = np.abs(tile).max(0) > 1e-9
        places = np.nonzero(inside)
        # The tile is a ring, and so are the places on it.
        centre = [np.angle(np.exp(2j * math.pi * each / TILE).mean()) / (2 * math.pi) * TILE % TILE for each in places]
        off = [(each - c + TILE / 2) % TILE - TILE / 2 for each, c in zip(places, centre, strict=True)]
        reach.append(np.hypot(*off).max())
        cover.append(inside.sum())
        holes.append(not inside[tuple(round(c) % TILE for c in centre)])
        flat = tile.reshape(3, -1)
        colours.append(flat[np.arange(3), np.abs(flat).argmax(1)])
    assert 4.5 < min(reach) < 6.5
    assert 11.5 < max(reach) < REACH, "corners reach further than a disc's edge"
    assert 40 < min(cover) < 100
    assert 300 < max(cover) < 600
    assert 0.25 < np.mean(holes) < 0.42
    colours = np.stack(colours)
    assert 0.18 < np.abs(colours).min() < 0.3
    assert 1.1 < np.abs(colours).max() <= 1.2 + 1e-9
    assert 0.4 < (colours.mean(1) > 0).mean() < 0.6


def test_the_noise_of_a_tile_has_waves_of_about_thirteen_texels():
    tiles = np.stack([draw_tile(rng(10, number), shapes=0).numpy() for number in range(40)]).astype(np.float64)
    power = (np.abs(np.fft.fft2(tiles)) ** 2).mean((0, 1))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE)))
    assert power[0, 0] < 1e-6 * power.max(), "no light of its own"
    near, far = (power[(frequency > low) & (frequency < high)].mean() for low, high in ((0.06, 0.095), (0.13, 0.16)))
    assert power[frequency == 1 / TILE].mean() < 0.02 * near
    assert 0.001 < far / near < 0.05
    assert 0.3 < tiles.std(axis=(2, 3)).mean() < 0.6
    assert np.abs(tiles[:, 0] - tiles[:, 1]).mean() > 0.05, "colours differ"


def test_layers_take_turns_so_that_the_contrast_stays(monkeypatch):
    path = draw_path(rng(11), "grow", frames=12, size=(48, 48))
    clip = render_clip(rng(12), path, size=(48, 48), shapes=0, noise=0).double()
    contrast = clip.std(dim=(1, 2, 3))
    assert 25 < contrast.mean() < 60
    assert contrast.std() < 0.3 * contrast.mean()
    assert (clip.mean() - 127.5).abs() < 15
    monkeypatch.setattr(motion_render, "CONTRAST", 0.0)
    grain = render_clip(rng(12), path, size=(48, 48), shapes=0, noise=6).double()
    assert (grain.min(), grain.max()) == (122, 134), "six levels around 127.5, halves to the even number"
    assert grain.mean() == pytest.approx(127.6, abs=0.3)
