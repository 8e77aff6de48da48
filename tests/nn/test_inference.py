"""What becomes of layers: what is folded, and what must stay."""

import torch
from torch import nn

from vidtok.nn.conv import AddedDepthwise, GridBatchNorm, GridConv
from vidtok.nn.drop_path import DropPath
from vidtok.nn.folded import FoldedConv
from vidtok.nn.inference import inference_layer


def kinds(layers):
    return [type(layer) for layer in layers]


@torch.no_grad()
def test_norms_go_into_what_stands_before_them_and_stay_behind_an_activation():
    torch.manual_seed(0)
    layers = nn.Sequential(
        *(nn.Linear(3, 4), GridBatchNorm(4), AddedDepthwise(4, temporal_kernel=1), nn.Dropout(0.5), DropPath(0.5)),
        *(GridConv(4, 4), GridBatchNorm(4), nn.GELU(), GridConv(4, 4), nn.GELU(), GridBatchNorm(4)),
    )
    for layer in layers.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 1, 4, 4, 3)
    want = layers.eval()(x)
    form = inference_layer(layers, fused=False)
    torch.testing.assert_close(form(x), want)
    nothing = nn.Identity
    assert kinds(form) == [
        *(nn.Linear, nothing, FoldedConv, nothing, nothing),
        *(FoldedConv, nothing, nothing, FoldedConv, nothing, GridBatchNorm),
    ]


@torch.no_grad()
def test_norms_without_statistics_and_of_pictures_are_left_alone():
    bare = GridBatchNorm(4)
    bare.norm = nn.BatchNorm2d(4, track_running_stats=False)
    form = inference_layer(nn.Sequential(GridConv(3, 4), bare, nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), fused=False)
    assert kinds(form) == [FoldedConv, GridBatchNorm, nn.Conv2d, nn.BatchNorm2d]


def test_a_layer_says_its_form_itself():
    class Mine(nn.Module):
        def inference_form(self, *, fused):
            return nn.Tanh() if fused else nn.ReLU()

    form = inference_layer(nn.Sequential(nn.Sequential(Mine())), fused=True)
    assert isinstance(form[0][0], nn.Tanh)
    assert isinstance(inference_layer(Mine(), fused=False), nn.ReLU)
