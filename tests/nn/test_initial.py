"""Initial weights against timm's function."""

import pytest
import torch
from timm.layers.weight_init import lecun_normal_ as timm_lecun_normal_

from vidtok.nn.initial import lecun_normal_


@pytest.mark.parametrize("shape", [(40, 50), (6, 3, 2, 4, 4)])
def test_the_numbers_are_timm_s(shape):
    torch.manual_seed(0)
    ours = lecun_normal_(torch.nn.Parameter(torch.empty(shape)))
    theirs = torch.empty(shape)
    torch.manual_seed(0)
    timm_lecun_normal_(theirs)
    torch.testing.assert_close(ours.detach(), theirs, rtol=1e-6, atol=0)


def test_deviation_and_ends():
    weight = lecun_normal_(torch.empty(2000, 100))
    assert weight.std().item() == pytest.approx(0.1, rel=0.01)
    assert weight.abs().max() <= 2.0001 * 0.1 / 0.8796
