"""Picture networks of timm behind the contract: their maps, their summaries, and what they refuse."""

import pytest
import timm
import torch

from tests.models.contract import keeps_the_contract
from vidtok.errors import ModelError
from vidtok.models.encoder import PictureEncoder
from vidtok.models.summary_network import summaries

# One of each layout: convolutions with a last layer of their own, tokens with a class token, channels last.
NAMES = ("tf_efficientnet_lite0", "vit_tiny_patch16_224", "convnext_atto", "swin_tiny_patch4_window7_224", "resnet18")


@pytest.mark.parametrize("name", NAMES)
def test_the_last_maps_are_the_library_s_own_features(name):
    network = PictureEncoder(classes=3, frames=2, size=224, encoder=name).eval()
    x = torch.randn(1, 2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last, middle = network.maps(x)
        wanted = network.body.forward_features(x[0])
    if wanted.ndim == 3:
        wanted = wanted[:, network.body.num_prefix_tokens :].unflatten(1, (14, 14))
    elif wanted.shape[1] == network.body.num_features:
        wanted = wanted.movedim(1, -1)
    torch.testing.assert_close(last[0], wanted, rtol=1e-5, atol=1e-5)
    assert network.grid == (2, *last.shape[2:4])
    assert middle.shape[:2] == (1, 2)
    assert middle.shape[2] >= last.shape[2]


@pytest.mark.parametrize("summary", ["mean", "time", "maps", "motion", "maps_motion", "time_motion"])
def test_logits_are_those_of_the_summary_behind_a_linear_layer(summary):
    network = PictureEncoder(classes=3, frames=3, size=64, encoder="resnet18", summary=summary).eval()
    torch.nn.init.normal_(network.head.weight)
    x = torch.randn(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        parts = summaries(*network.maps(x))
        wanted = torch.cat([parts[name] for name in summary.split("_")], dim=1) @ network.head.weight.T
        torch.testing.assert_close(network(x), wanted + network.head.bias)
    assert set(parts) == {"mean", "time", "maps", "motion"}


def test_names_and_networks_that_cannot_be_are_refused():
    with pytest.raises(ModelError, match=r"encoder='resnet18x': timm has no network of this name"):
        PictureEncoder(classes=2, encoder="resnet18x")
    assert not timm.is_model("resnet18x")


def test_the_contract():
    keeps_the_contract("encoder")
    keeps_the_contract("encoder, norms and two blocks trained")
