"""Super-token attention beyond the contract: other cells, more rounds, and what time may not change."""

import pytest
import torch

from tests.references.super_token import naive
from vidtok.errors import ModelError
from vidtok.nn.mixers import super_token as module
from vidtok.nn.mixers.super_token import (
    SuperToken,
    add_folded,
    associate,
    fold,
    gather,
    gather_part,
    in_cells,
    super_tokens,
    time_parts,
)


def mixer(**options):
    torch.manual_seed(0)
    return SuperToken(8, heads=2, **options).double()


def tokens(*shape, seed=1):
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("cells", [(1, 2, 2), (2, 3, 1), (3, 4, 4)])
@pytest.mark.parametrize("grid", [(4, 6, 6), (5, 5, 3), (1, 7, 4)])
def test_other_cells_and_more_rounds_equal_the_loops(grid, cells, iterations):
    layer, x = mixer(cells=cells, iterations=iterations), tokens(1, *grid, 8)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), naive(layer, x), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(layer.attention_map(x)[1], layer(x), rtol=1e-10, atol=1e-12)


def test_what_a_cell_gives_arrives_at_its_neighbours():
    given = torch.arange(2 * 3 * 3 * 27, dtype=torch.float64).view(1, 2, 3, 3, 27, 1)
    x = tokens(1, 2, 3, 3, 1)
    # fold is the transpose of gather: <gather(x), given> = <x, fold(given)>.
    torch.testing.assert_close((gather(x) * given).sum(), (x * fold(given)).sum(), rtol=1e-12, atol=0)
    cell_numbers = torch.arange(1, 10, dtype=torch.float64).view(1, 1, 3, 3, 1)
    assert gather(cell_numbers)[0, 0, 0, 0, :, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 4, 5]
    assert gather(cell_numbers)[0, 0, 1, 2, :, 0].tolist() == [2, 3, 0, 5, 6, 0, 8, 9, 0]


@pytest.mark.parametrize("bytes_", [1, 7000, 14000, 20000])
@pytest.mark.parametrize("grid", [(9, 5, 6), (2, 4, 4), (1, 6, 6)])
def test_neighbours_that_are_looked_at_in_parts_give_the_same(grid, bytes_, monkeypatch):
    """On a processor without gradients: one time step of cells at a time, some, or the last one alone."""
    layer, x = mixer(cells=(2, 2, 2), iterations=2), tokens(2, *grid, 8)
    with torch.no_grad():
        whole = layer(x)
        monkeypatch.setattr(module, "PART_BYTES", bytes_)
        torch.testing.assert_close(layer(x), whole, rtol=1e-12, atol=1e-13)
    x.requires_grad_()
    torch.testing.assert_close(layer(x), whole, rtol=1e-12, atol=1e-13)


def test_parts_are_of_as_many_bytes_as_they_may_have():
    """Cells of 3 x 2 with 4 numbers of 8 bytes and 27 neighbours: 5,184 bytes for each time step."""
    cells = torch.zeros(1, 7, 3, 2, 4, dtype=torch.float64)

    def parts(**options):
        return [(part.start, part.stop) for part in time_parts(cells, **{"tracked": False, **options})]

    assert parts() == [(0, 7)]
    for most, wanted in ((5184 * 3, [(0, 3), (3, 6), (6, 7)]), (5184 * 3 - 1, [(0, 2), (2, 4), (4, 6), (6, 7)])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "PART_BYTES", most)
            assert parts() == wanted
            assert parts(tracked=True) == [(0, 7)], "all of them are kept for the way back in any case"
    assert time_parts(cells.to("meta"), tracked=False) == [slice(0, 7)]


def test_what_part_of_the_cells_gives_arrives_too():
    given, sums = tokens(2, 5, 3, 4, 27, 2), torch.zeros(2, 5, 3, 4, 2, dtype=torch.float64)
    for first, last in ((0, 1), (1, 4), (4, 5)):
        add_folded(sums, given[:, first:last], first=first)
        torch.testing.assert_close(
            gather_part(given[..., 0, :], slice(first, last)), gather(given[..., 0, :])[:, first:last], rtol=0, atol=0
        )
    torch.testing.assert_close(sums, fold(given), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("steps_in_cell", [2, 3])
def test_one_time_step_is_the_image_form_whatever_the_cells_extent_in_time(steps_in_cell):
    x = tokens(2, 1, 5, 6, 8)
    image, clip = mixer(cells=(1, 2, 2)), mixer(cells=(steps_in_cell, 2, 2))
    torch.testing.assert_close(clip(x), image(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cells", [(1, 2, 2), (2, 2, 2), (3, 2, 2)])
def test_a_clip_of_equal_frames_gives_the_image_form_on_each(cells):
    frame = tokens(1, 1, 4, 6, 8)
    image, clip = mixer(cells=(1, 2, 2)), mixer(cells=cells)
    got = clip(frame.expand(-1, 6, -1, -1, -1))
    torch.testing.assert_close(got, image(frame).expand_as(got), rtol=1e-10, atol=1e-12)


def test_cells_of_one_token_are_plain_attention():
    layer, x = mixer(cells=(1, 1, 1)), tokens(1, 2, 3, 3, 8)
    torch.testing.assert_close(layer(x), layer.refine(x), rtol=0, atol=0)


def test_rows_of_the_map_sum_to_at_most_one():
    layer = mixer(cells=(1, 2, 2))
    rows = layer.attention_map(tokens(1, 1, 6, 6, 8))[0].sum(-1)
    assert bool((rows <= 1 + 1e-12).all())
    inner = rows.view(2, 6, 6)[:, 2:4, 2:4]
    torch.testing.assert_close(inner, torch.ones_like(inner), rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_the_association_is_computed_in_float32(dtype):
    layer = mixer(cells=(1, 2, 2)).float()
    x = tokens(1, 2, 4, 4, 8)
    with torch.autocast("cpu", dtype=dtype):
        affinity, mass = associate(in_cells(x.to(dtype), (1, 2, 2)), cells=(1, 2, 2), steps=2, iterations=1)
        out = layer(x.float())
    whole, _ = associate(in_cells(x.to(dtype), (1, 2, 2)), cells=(1, 2, 2), steps=2, iterations=1)
    assert affinity.dtype == mass.dtype == torch.float32
    assert torch.equal(affinity, whole)
    assert bool(out.isfinite().all())
    low = layer.to(dtype)(x.to(dtype))
    assert low.dtype == dtype
    assert bool(low.isfinite().all())


@pytest.mark.parametrize("options", [{"cells": (0, 2, 2)}, {"iterations": 0}, {"heads": 3}])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(ModelError, match=r"\d"):
        SuperToken(8, **{"heads": 2, **options})


@pytest.mark.parametrize("iterations", [1, 2])
def test_super_tokens_alone_are_what_the_mixer_attends_among(iterations):
    """Of tokens that a LayerNorm leaves as they are, they are the input of the mixer's own attention."""
    layer, x = mixer(cells=(2, 3, 2), iterations=iterations), tokens(2, 4, 5, 6, 8)
    x = torch.nn.functional.layer_norm(x, (8,), eps=0.0)
    seen = []
    layer.refine.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    layer(x)
    got = super_tokens(x, cells=(2, 3, 2), iterations=iterations)
    assert got.shape == (2, 2, 2, 3, 8)
    torch.testing.assert_close(got, seen[0], rtol=1e-4, atol=1e-4)
    scaled = super_tokens(5 * x + 2, cells=(1, 5, 6))
    torch.testing.assert_close(scaled, 5 * super_tokens(x, cells=(1, 5, 6)) + 2, rtol=1e-4, atol=1e-4)
