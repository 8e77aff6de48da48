"""The maps of the libraries' layers against what their outputs take from each place."""

import pytest
import torch
from torch import nn
from torchvision.models.video.mvit import MultiscaleAttention
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

from vidtok.models.baselines_attention import class_token_look, last_softmax, window_look
from vidtok.models.pytorchvideo_parts import library


def carries_channel_0(qkv, projection, *, width, heads):
    """Attention by the other channels; the first one of the output is the mean over heads of what it takes of it."""
    with torch.no_grad():
        query, key, value = qkv
        query[:, 0] = 0
        key[:, 0] = 0
        value.zero_()
        projection.zero_()
        for head in range(heads):
            value[head * width // heads, 0] = 1
            projection[0, head * width // heads] = 1 / heads


@pytest.mark.parametrize(
    ("grid", "window", "shift"),
    [
        ((4, 4, 6), (2, 2, 3), (1, 1, 1)),
        ((5, 3, 4), (2, 2, 3), (1, 1, 1)),
        ((2, 3, 3), (4, 3, 3), (2, 1, 1)),
        ((4, 4, 4), (2, 2, 2), (0, 0, 0)),
    ],
)
@torch.no_grad()
def test_windows_give_each_place_what_the_output_takes_from_it(grid, window, shift):
    torch.manual_seed(0)
    width, heads = 8, 2
    layer = ShiftedWindowAttention3d(width, list(window), list(shift), heads).double()
    nn.init.normal_(layer.relative_position_bias_table)
    nn.init.normal_(layer.qkv.bias)
    nn.init.normal_(layer.qkv.weight)
    layer.qkv.bias[2 * width :] = 0
    carries_channel_0(layer.qkv.weight.chunk(3), layer.proj.weight, width=width, heads=heads)
    x = torch.randn(2, *grid, width, dtype=torch.float64)
    found = window_look(layer, layer, x, place="here")
    for place in range(grid[0] * grid[1] * grid[2]):
        probe = x.clone()
        probe[..., 0] = 0
        probe.view(2, -1, width)[:, place, 0] = 1
        taken = (layer(probe) - layer.proj.bias)[..., 0].mean((1, 2, 3))
        torch.testing.assert_close(found.maps.flatten(1)[:, place], taken)


@pytest.mark.parametrize("source", ["pytorchvideo", "torchvision"])
@torch.no_grad()
def test_the_class_token_s_row_is_taken_on_the_grid_of_its_keys(source):
    torch.manual_seed(0)
    grid, pooled = (2, 4, 6), (2, 2, 3)
    if source == "torchvision":
        options = {"kernel_q": [3, 3, 3], "kernel_kv": [3, 3, 3], "stride_q": [1, 2, 2], "stride_kv": [1, 2, 2]}
        layer = MultiscaleAttention(
            [2, 4, 6], 8, 8, 2, residual_pool=False, residual_with_cls_embed=False, rel_pos_embed=True, **options
        )
    else:
        kernels = {"kernel_q": (3, 3, 3), "kernel_kv": (3, 3, 3), "stride_q": (1, 2, 2), "stride_kv": (1, 2, 2)}
        layer = library("vision_transformers").MultiScaleBlock(8, 8, 2, **kernels, droppath_rate=0.0).attn
    wrapped = Wrapped(layer, grid)
    x = torch.randn(3, 1 + 48, 8)
    found = class_token_look(layer, wrapped, x, place="here")
    weights, _ = last_softmax(layer, wrapped, x)
    assert found.maps.shape == (3, *pooled)
    torch.testing.assert_close(found.maps.flatten(1), weights[:, :, 0, 1:].mean(1))
    assert not torch.allclose(weights[:, :, 0], weights[:, :, 1], atol=1e-3)


class Wrapped(nn.Module):
    def __init__(self, layer, grid):
        super().__init__()
        self.layer, self.grid = layer, grid

    def forward(self, x):
        return self.layer(x, self.grid)
