"""Norms and scales in weights, against the layers one after the other."""

import pytest
import torch
from torch import nn

from vidtok.nn.conv import AddedDepthwise, GridBatchNorm, GridConv
from vidtok.nn.folded import (
    ACTIVATIONS,
    FoldedConv,
    FoldedLinear,
    activation_of,
    affine_of,
    fold_before,
    fold_behind,
    fold_conv,
    fold_residual,
    scale_of,
)


def norm_of(width: int) -> GridBatchNorm:
    norm = GridBatchNorm(width, eps=0.1).double().eval()
    for tensor in (norm.norm.running_mean, norm.norm.weight.data, norm.norm.bias.data):
        tensor.normal_()
    norm.norm.running_var.uniform_(0.5, 2)
    return norm


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.mark.parametrize("bias", [True, False])
def test_a_norm_before_and_behind_a_linear_layer(bias):
    norm, other, layer = norm_of(6), norm_of(4), nn.Linear(6, 4, bias=bias).double()
    x = torch.randn(2, 3, 2, 2, 6).double()
    torch.testing.assert_close(fold_before(affine_of(norm), layer)(x), layer(norm(x)))
    torch.testing.assert_close(fold_behind(layer, affine_of(other))(x), other(layer(x)))
    scale = torch.randn(4).double()
    torch.testing.assert_close(scale_of(scale, layer)(x), scale * layer(x))
    assert scale_of(None, layer) is layer
    for made in (fold_before(affine_of(norm), layer), FoldedLinear(layer)):
        assert not any(parameter.requires_grad for parameter in made.parameters())
    bare = nn.BatchNorm2d(6, affine=False).double().eval()
    bare.running_mean.normal_()
    pictures = x[:, 0].movedim(-1, 1)
    torch.testing.assert_close(fold_before(affine_of(bare), layer)(x[:, 0]), layer(bare(pictures).movedim(1, -1)))


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "groups"), [(1, 1, 1), (3, 2, 4), (3, 1, 2)])
def test_a_convolution_with_its_norm_an_activation_and_a_sum(kernel, stride, groups, same):
    conv = GridConv(4, 8, kernel=(kernel, 3, 3), stride=(stride,) * 3, groups=groups, same=same, bias=False).double()
    x, norm = torch.randn(2, 3, 6, 5, 4).double(), norm_of(8)
    want = nn.functional.gelu(norm(conv(x)))
    added = torch.randn_like(want)
    fold_conv(conv, affine_of(norm))
    folded = FoldedConv(conv, activation="gelu")
    assert not any(parameter.requires_grad for parameter in (*folded.parameters(), *conv.parameters()))
    torch.testing.assert_close(folded(x), want)
    torch.testing.assert_close(folded(x, added), want + added)


def test_a_residual_in_a_kernel():
    layer = AddedDepthwise(4, temporal_kernel=3).double()
    x = torch.randn(2, 3, 4, 5, 4).double()
    want = layer(x)
    torch.testing.assert_close(fold_residual(layer.conv)(x), want)
    torch.testing.assert_close(layer(x), want)


@pytest.mark.parametrize(
    ("layer", "name"),
    [(nn.GELU(), "gelu"), (nn.GELU("tanh"), "gelu_tanh"), (nn.ReLU(), "relu"), (nn.SiLU(), "silu"), (nn.Tanh(), None)],
)
def test_activations_by_their_layers(layer, name):
    assert activation_of(layer) == name
    if name:
        x, linear = torch.randn(5, 3), nn.Linear(3, 2)
        assert torch.equal(ACTIVATIONS[name](x), layer(x))
        assert torch.equal(FoldedLinear(linear, activation=name)(x, x[:, :2]), layer(linear(x)) + x[:, :2])
