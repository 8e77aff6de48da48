"""Stochastic depth against timm's layer."""

import pytest
import torch
from timm.layers.drop import DropPath as TimmDropPath

from vidtok.nn.drop_path import DropPath


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_training_gives_the_numbers_of_timm_s_layer(rate, rescale):
    x = torch.randn(64, 3, 2)
    torch.manual_seed(1)
    ours = DropPath(rate, scale_by_keep=rescale)(x)
    torch.manual_seed(1)
    assert torch.equal(ours, TimmDropPath(rate, scale_by_keep=rescale)(x))
    assert (ours == 0).any() == (rate > 0)


def test_testing_drops_nothing_and_draws_nothing():
    x, before = torch.randn(8, 3), torch.get_rng_state()
    assert DropPath(0.9).eval()(x) is x
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(DropPath(0.25)) == "DropPath(drop_prob=0.250)"
