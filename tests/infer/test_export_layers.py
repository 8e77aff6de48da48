"""Layers as they are exported give the numbers of those whose weights they take, by tensors of few axes."""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vidtok.infer.export_layers import LinearTubelet, PlainMultiAxis, PlainSuperToken
from vidtok.nn.mixers.multi_axis import MultiAxis
from vidtok.nn.mixers.super_token import SuperToken
from vidtok.nn.tubelet import Tubelet


class MostAxes(TorchDispatchMode):
    """The largest number of axes of any tensor that is made."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(each, torch.Tensor):
                self.most = max(self.most, each.dim())
        return out


@pytest.mark.parametrize("sampled", [None, 4])
def test_tubelets_are_one_matrix_product(sampled):
    torch.manual_seed(0)
    tubelet = Tubelet(7, tubelet=(2, 4, 3), sampled_frames=sampled)
    torch.nn.init.normal_(tubelet.projection.bias)
    clips = torch.randn(3, 6, 3, 8, 9)
    with torch.no_grad(), MostAxes() as axes:
        given = LinearTubelet(tubelet)(clips)
    assert axes.most == 5
    torch.testing.assert_close(given, tubelet(clips), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("partition", "grid"), [*itertools.product(["block", "grid"], [(4, 6, 6), (3, 5, 7), (4, 6, 5)])]
)
def test_windows_are_made_axis_by_axis(partition, grid):
    torch.manual_seed(0)
    mixer = MultiAxis(12, heads=3, window=(2, 3, 2), partition=partition).eval()
    x = torch.randn(3, *grid, 12)
    wanted = mixer(x)
    mixer.__class__ = PlainMultiAxis
    with torch.no_grad(), MostAxes() as axes:
        given = mixer(x)
    assert axes.most <= 5
    torch.testing.assert_close(given, wanted.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("iterations", [1, 2])
@pytest.mark.parametrize(
    ("cells", "grid"),
    [
        ((2, 2, 3), (4, 4, 6)),
        ((2, 2, 2), (3, 5, 4)),
        ((1, 3, 2), (1, 6, 5)),
        ((2, 4, 4), (2, 4, 4)),
        ((1, 1, 1), (2, 3, 3)),
    ],
)
def test_super_tokens_take_their_neighbours_by_index(cells, grid, iterations):
    torch.manual_seed(0)
    mixer = SuperToken(12, heads=3, cells=cells, iterations=iterations).eval()
    x = torch.randn(2, *grid, 12) * 3
    wanted = mixer(x)
    mixer.__class__ = PlainSuperToken
    with torch.no_grad(), MostAxes() as axes:
        given = mixer(x)
    assert axes.most <= 5
    torch.testing.assert_close(given, wanted.detach(), rtol=1e-5, atol=1e-5)
