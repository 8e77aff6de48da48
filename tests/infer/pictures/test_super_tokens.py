"""Super tokens: outlines are borders of what each gathers, and two things that move apart are kept apart."""

import pytest
import torch

from tests.infer.pictures.scenes import GRID, network_of, scene_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import Point
from vidtok.infer.pictures.super_tokens import REACHES, shares_of, super_tokens
from vidtok.nn.looks import at_rest
from vidtok.nn.mixers.super_token import SuperToken
from vidtok.nn.trace import Mixed

MIXER = {"name": "super_token", "cells": (2, 2, 4)}


def test_regions_are_where_a_place_s_largest_share_is():
    network = network_of(mixer=MIXER)
    with at_rest(network):
        layer = scene_of(network).mixers[-1]
        shares = layer.mixer.association(layer.inputs)[0].view(*GRID, 4)
    outlines, *reaches = shown(super_tokens, network)
    assert torch.equal(outlines.regions, shares.argmax(-1))
    assert len(reaches) == min(REACHES, 4)
    largest = int(shares.sum((0, 1, 2)).argmax())
    assert reaches[0].title == f"super token {largest + 1}"
    torch.testing.assert_close(reaches[0].maps, shares[..., largest])
    _, at = shown(super_tokens, network, point=Point(time=0.1, y=0.9, x=0.9))
    assert at.title == f"super token {int(shares[0, 3, 7].argmax()) + 1}"


def test_time_steps_that_are_seen_apart_share_no_super_token():
    mixer = SuperToken(6, heads=2, cells=(1, 2, 2))
    inputs = torch.randn(3, 1, 4, 4, 6, generator=torch.Generator().manual_seed(0))
    shares = shares_of(Mixed(path="there", mixer=mixer, inputs=inputs, grid=(3, 4, 4), apart=True))
    assert shares.shape == (3, 4, 4, 12)
    assert [set(step.argmax(-1).flatten().tolist()) <= {*range(4 * k, 4 * k + 4)} for k, step in enumerate(shares)] == [
        True
    ] * 3


def test_cells_of_one_token_gather_nothing():
    with pytest.raises(ModelError, match="super_tokens shows nothing of this network, which gathers none"):
        shown(super_tokens, network_of(mixer={"name": "super_token", "cells": (1, 1, 1)}))


def rand_index(one, other):
    """The adjusted Rand index of two labellings (Hubert and Arabie, 1985)."""
    table = torch.zeros(int(one.max()) + 1, int(other.max()) + 1, dtype=torch.float64)
    for i, j in zip(one.tolist(), other.tolist(), strict=True):
        table[i, j] += 1

    def pairs(n):
        return (n * (n - 1) / 2).sum()

    rows, columns, whole = pairs(table.sum(1)), pairs(table.sum(0)), pairs(table.sum())
    expected = rows * columns / whole
    return float((pairs(table) - expected) / ((rows + columns) / 2 - expected))


def test_the_index_knows_equal_and_unrelated_labels():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert rand_index(labels, (labels + 1) % 3) == 1
    assert rand_index(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])) < 0


def test_two_textures_that_move_apart_are_two_regions():
    """Raw pixels are the features: two cells, two super tokens, and one texture begins in both cells."""
    generator = torch.Generator().manual_seed(0)
    pixels = 0.3 * torch.randn(1, 4, 8, 16, 3, generator=generator)
    truth = torch.full((4, 8, 16), -1)
    for t in range(4):
        for number, (first, colour) in enumerate(((6 - t, (2.0, -2.0, 0.5)), (10 + t, (-2.0, 2.0, 0.5)))):
            columns = slice(first, min(first + 4, 16))
            truth[t, :, columns] = number
            grain = 0.8 * torch.randn(8, columns.stop - first, 3, generator=generator)
            pixels[0, t, :, columns] = torch.tensor(colour) + grain
    mixer = SuperToken(3, heads=1, cells=(4, 8, 8), iterations=2)
    regions = shares_of(Mixed(path="", mixer=mixer, inputs=pixels, grid=(4, 8, 16))).argmax(-1)
    textured = truth >= 0
    cells = (torch.arange(16) >= 8).long().expand(4, 8, 16)
    assert rand_index(cells[textured], truth[textured]) < 0.7
    assert rand_index(regions[textured], truth[textured]) >= 0.8
