"""Convolutional pieces against torch's own, against plain loops, and against TensorFlow's padding rule."""

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange

from vidtok.errors import ModelError
from vidtok.nn.conv import AddedDepthwise, GridBatchNorm, GridConv, SqueezeExcite, depthwise, same_padding


def grid(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 3), (5, 1, 3)])
@pytest.mark.parametrize("size", [(1, 4, 5), (2, 5, 4), (7, 6, 6)])
def test_equals_a_three_dimensional_convolution(size, kernel, stride, groups):
    conv = GridConv(4, 6, kernel=kernel, stride=stride, groups=groups).double()
    x = grid(2, *size, 4)
    padding = tuple(k // 2 for k in kernel)
    want = F.conv3d(rearrange(x, "b t h w d -> b d t h w"), conv.weight, conv.bias, stride, padding, groups=groups)
    torch.testing.assert_close(conv(x), rearrange(want, "b d t h w -> b t h w d"), rtol=1e-12, atol=1e-12)


def test_a_kernel_of_one_time_step_sees_no_other():
    conv, x = depthwise(3, temporal_kernel=1).double(), grid(1, 4, 5, 5, 3)
    other = x.clone()
    other[:, [0, 1, 3]] += 1.0
    torch.testing.assert_close(conv(other)[:, 2], conv(x)[:, 2], rtol=0, atol=0)


def test_same_padding_puts_the_odd_zero_behind():
    assert same_padding(224, 3, 2) == (0, 1)
    assert same_padding(7, 3, 2) == (1, 1)
    assert same_padding(7, 3, 1) == (1, 1)
    assert same_padding(8, 1, 2) == (0, 0)


@pytest.mark.parametrize("size", [4, 5, 6, 7])
def test_same_convolution_starts_where_tensorflow_starts(size):
    conv = GridConv(1, 1, kernel=(1, 1, 3), stride=(1, 1, 2), bias=False, same=True).double()
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, 10.0, 100.0]).view(1, 1, 1, 1, 3))
    x = torch.arange(1.0, size + 1, dtype=torch.float64)
    got = conv(x.view(1, 1, 1, size, 1)).flatten()
    first = 0 if size % 2 == 0 else -1
    at = [[x[i].item() if 0 <= i < size else 0 for i in range(s, s + 3)] for s in range(first, size, 2)]
    want = [a + 10 * b + 100 * c for a, b, c in at][: -(-size // 2)]
    assert got.tolist() == want


def test_an_even_kernel_is_refused():
    with pytest.raises(ModelError, match=r"odd.*\(2, 3, 3\)"):
        GridConv(4, 4, kernel=(2, 3, 3))


def test_batch_norm_counts_every_token_of_every_clip():
    norm, x = GridBatchNorm(3, eps=1e-3).double(), grid(2, 3, 4, 5, 3) * 2 + 1
    flat = x.flatten(0, 3)
    want = (flat - flat.mean(0)) / (flat.var(0, unbiased=False) + 1e-3).sqrt()
    torch.testing.assert_close(norm(x).flatten(0, 3), want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.norm.running_mean, 0.1 * flat.mean(0))


def test_added_depthwise_keeps_what_came_in():
    layer, x = AddedDepthwise(3, temporal_kernel=3).double(), grid(1, 2, 3, 3, 3)
    torch.testing.assert_close(layer(x) - x, layer.conv(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_added_one_changes_no_number_and_no_gradient(kernel):
    torch.manual_seed(0)
    layer, x = AddedDepthwise(3, temporal_kernel=kernel).double(), grid(1, 2, 4, 5, 3).requires_grad_()
    found, wanted = layer(x), x + layer.conv(x)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    direction, inputs = torch.randn_like(found), (x, layer.conv.weight, layer.conv.bias)
    for one, other in zip(
        torch.autograd.grad(found, inputs, direction), torch.autograd.grad(wanted, inputs, direction), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_where_numbers_are_rounded_small_weights_are_not_lost_in_a_one(dtype):
    torch.manual_seed(0)
    layer, x = AddedDepthwise(3, temporal_kernel=1), grid(1, 2, 4, 5, 3).float()
    with torch.no_grad(), torch.autocast("cpu", dtype):
        assert torch.equal(layer(x), x + layer.conv(x))
    layer, x = layer.to(dtype), x.to(dtype)
    with torch.no_grad():
        assert torch.equal(layer(x), x + layer.conv(x))


@pytest.mark.parametrize("per_time_step", [False, True])
def test_squeeze_excite_pools_the_clip_or_the_time_step(per_time_step):
    gate = SqueezeExcite(4, hidden=2, per_time_step=per_time_step).double()
    x = grid(2, 3, 2, 2, 4)
    other = x.clone()
    other[:, 2] += 1.0
    moved = (gate(other) - gate(x))[:, :2].abs().max()
    assert bool(moved == 0) == per_time_step
    unasked = SqueezeExcite(4, hidden=2).double()
    unasked.load_state_dict(gate.state_dict())
    assert torch.equal(unasked(x), gate(x)) is not per_time_step
    clip = x[:1, :1] if per_time_step else x[:1]
    pooled = clip.mean((1, 2, 3))[0]
    hidden = gate.reduce.weight @ pooled + gate.reduce.bias
    score = gate.expand.weight @ (hidden / (1 + torch.exp(-hidden))) + gate.expand.bias
    torch.testing.assert_close(gate(x)[0, 0], x[0, 0] / (1 + torch.exp(-score)), rtol=1e-12, atol=1e-12)


def test_a_convolution_without_options_is_a_pictures_with_a_bias():
    layer = GridConv(2, 3)
    assert tuple(layer.weight.shape) == (3, 2, 1, 3, 3)
    assert tuple(layer.bias.shape) == (3,)
    assert layer(torch.zeros(1, 2, 5, 7, 2)).shape == (1, 2, 5, 7, 3)
    assert GridConv(2, 3, bias=False).bias is None
    assert not layer.same
