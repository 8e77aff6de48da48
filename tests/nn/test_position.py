import math

import jaxtyping
import numpy as np
import pytest
import torch

from vidtok.errors import ModelError
from vidtok.nn.position import (
    LearnedPosition,
    make_position,
    make_time_position,
    resize_table,
    sincos_3d,
    sincos_flat,
    tile_table,
)

GRID = (2, 3, 4)


def test_sincos_3d_is_the_formula():
    width = 12
    table = sincos_3d(width, grid=GRID)
    for t, h, w in np.ndindex(*GRID):
        want = []
        for place in (t, w, h):
            angles = [place * 10000 ** (-k / (width / 6)) for k in range(width // 6)]
            want += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        assert table[t, h, w].tolist() == pytest.approx(want, abs=1e-6)


def test_sincos_3d_needs_a_width_that_six_divides():
    with pytest.raises(ModelError, match="got 64; 66"):
        sincos_3d(64, grid=GRID)


def test_sincos_flat_is_the_formula():
    width = 10
    table = sincos_flat(width, grid=GRID).reshape(-1, width)
    for n in range(24):
        angles = [n / 10000 ** (2 * (j // 2) / width) for j in range(width)]
        want = [math.cos(a) if j % 2 else math.sin(a) for j, a in enumerate(angles)]
        assert table[n].tolist() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("kind", ["sincos_3d", "sincos_flat", "none"])
def test_fixed_positions_are_neither_trained_nor_saved(kind):
    layer = make_position(kind, 12, grid=GRID)
    assert not list(layer.parameters())
    assert not layer.state_dict()


def test_learned_positions_are_added_place_by_place():
    layer = LearnedPosition(5, grid=GRID)
    with torch.no_grad():
        layer.table.copy_(torch.arange(120.0).reshape(*GRID, 5))
    assert torch.equal(layer(torch.ones(2, *GRID, 5))[1], torch.arange(120.0).reshape(*GRID, 5) + 1)


def test_resize_keeps_the_corners_and_is_linear_between():
    table = torch.arange(3.0).reshape(1, 1, 3, 1) * 10
    assert resize_table(table, (1, 1, 5)).flatten().tolist() == [0, 5, 10, 15, 20]
    random = torch.randn(2, 3, 3, 4)
    big = resize_table(random, (5, 7, 6))
    for corner in np.ndindex(2, 2, 2):
        index = tuple(-c for c in corner)
        torch.testing.assert_close(big[index], random[index])


def test_resize_is_linear_interpolation_between_end_points_axis_by_axis():
    table = np.random.default_rng(0).standard_normal((14, 14, 3))
    rows = np.stack([np.interp(np.linspace(0, 13, 16), np.arange(14), column) for column in table.reshape(14, -1).T])
    rows = rows.T.reshape(16, 14, 3)
    want = np.stack(
        [np.interp(np.linspace(0, 13, 9), np.arange(14), rows[i, :, d]) for i in range(16) for d in range(3)]
    )
    got = resize_table(torch.from_numpy(table).unsqueeze(0), (1, 16, 9))[0]
    np.testing.assert_allclose(got.numpy(), want.reshape(16, 3, 9).transpose(0, 2, 1), atol=1e-12)


def test_tile_repeats_the_picture_s_table():
    table = torch.randn(1, 3, 4, 2)
    tiled = tile_table(table, (5, 3, 4))
    assert all(torch.equal(tiled[t], table[0]) for t in range(5))


@pytest.mark.parametrize("kind", ["learned", "sincos_3d", "sincos_flat"])
@pytest.mark.parametrize("grid", [(1, 3, 4), (2, 1, 4), (2, 3, 1), (1, 1, 1), (2, 4, 3), (4, 3, 4)], ids=str)
def test_tokens_of_another_grid_are_refused(kind, grid):
    """An axis of one place would take the positions of all places, and all tokens those of one."""
    with pytest.raises(ModelError, match=r"positions of a grid \(2, 3, 4\) .*, width 12, do not fit tokens of"):
        make_position(kind, 12, grid=GRID)(torch.zeros(1, *grid, 12))
    if 1 in grid:
        with pytest.raises(ModelError, match=r"do not fit tokens of \(2, 3, 4\), width 12"):
            make_position(kind, 12, grid=grid)(torch.zeros(1, *GRID, 12))


def test_tokens_of_another_width_are_refused():
    """Both the shape checks and the layer itself say so; without the first, one number would broadcast to 12."""
    position = make_position("learned", 12, grid=GRID)
    with pytest.raises(
        (ModelError, jaxtyping.TypeCheckError),
        match=r"width 12, do not fit|checking the parameters of vidtok.nn.position.with_table",
    ):
        position(torch.zeros(1, *GRID, 1))


@pytest.mark.parametrize(("kind", "table"), [("sincos_3d", sincos_3d), ("sincos_flat", sincos_flat)])
def test_each_kind_has_its_name(kind, table):
    layer, x = make_position(kind, 12, grid=(2, 3, 4)), torch.randn(2, 2, 3, 4, 12)
    torch.testing.assert_close(layer(x) - x, table(12, grid=(2, 3, 4)).expand(2, -1, -1, -1, -1))
    assert not [*layer.parameters()]
    assert not layer.state_dict()
    learned = make_position("learned", 12, grid=(2, 3, 4))
    assert [tuple(p.shape) for p in learned.parameters()] == [(2, 3, 4, 12)]
    assert make_position("none", 12, grid=(2, 3, 4))(x) is x


def test_sines_fall_into_a_part_of_places_and_one_of_times():
    places, times = (make("sincos_separable", 12, grid=GRID) for make in (make_position, make_time_position))
    x = torch.randn(2, *GRID, 12)
    torch.testing.assert_close(times(places(x)), x + sincos_3d(12, grid=GRID))
    torch.testing.assert_close(places(x[:, 1:]), places(x)[:, 1:])
    assert not list(places.parameters())
    assert not times.state_dict()


def test_learned_ones_have_a_vector_for_each_place_and_one_for_each_time():
    places, times = (make("learned_separable", 5, grid=GRID) for make in (make_position, make_time_position))
    x, learned = torch.randn(2, *GRID, 5), torch.randn(2, 2, 7, 5)
    torch.testing.assert_close(times(places(x)), x + places.table[0] + times.table)
    torch.testing.assert_close(times(learned), learned + times.table[:, 0])
    assert (places.table.shape, times.table.shape) == ((1, 3, 4, 5), (2, 1, 1, 5))
    for wrong in (x[:, :1], learned[:, :1]):
        with pytest.raises((ModelError, jaxtyping.TypeCheckError), match="positions of a grid"):
            times(wrong)
    with pytest.raises((ModelError, jaxtyping.TypeCheckError), match="positions of a grid"):
        places(x[:, :, :1])
    with pytest.raises((ModelError, jaxtyping.TypeCheckError), match="positions of a grid"):
        places(learned)


def test_a_part_for_which_there_is_one_place_is_left_out():
    assert make_time_position("learned_separable", 5, grid=(1, 3, 4)) is None
    assert make_position("learned_separable", 5, grid=(1, 3, 4)).table.shape == (1, 3, 4, 5)
    assert not make_position("learned_separable", 5, grid=(4, 1, 1)).state_dict()
    assert make_time_position("learned", 5, grid=GRID) is None
