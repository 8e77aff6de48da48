"""What pytorchvideo's networks share."""

import warnings

import torch
from torch import nn

from vidtok.models.pytorchvideo_parts import library, residual_blocks, start_resnet_head


def test_a_module_is_imported_without_its_old_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = library("resnet")
    assert found.__name__ == "pytorchvideo.models.resnet"
    assert callable(found.create_resnet)


def test_blocks_of_all_stages_in_their_order():
    class Stage(nn.Module):
        def __init__(self, count: int):
            super().__init__()
            self.res_blocks = nn.ModuleList(nn.Identity() for _ in range(count))

    body = nn.Module()
    body.blocks = nn.ModuleList([nn.Identity(), Stage(2), Stage(1), nn.Identity()])
    wanted = [*body.blocks[1].res_blocks, *body.blocks[2].res_blocks]
    found = residual_blocks(body)
    assert len(found) == 3
    assert all(one is other for one, other in zip(found, wanted, strict=True))


def test_a_last_layer_starts_small_and_without_a_bias():
    torch.manual_seed(0)
    layer = nn.Linear(200, 100)
    start_resnet_head(layer)
    assert abs(float(layer.weight.detach().std()) - 0.01) < 0.0005
    assert not layer.bias.any()
