"""Picture networks of timm behind the contract: their maps, their summaries, and what they refuse."""

import pytest
import timm
import torch
from torch import nn

from tests.models.contract import keeps_the_contract
from vidtok.errors import ModelError
from vidtok.models.encoder import PictureEncoder, middle_layer, picture_network
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
    with pytest.raises(ModelError, match=r"encoder='resnet18\.none': timm has no weights 'none' of resnet18; it has a"):
        PictureEncoder(classes=2, encoder="resnet18.none")


def test_the_contract():
    keeps_the_contract("encoder")


class Told(nn.Module):
    """A network that tells the strides of its maps."""

    forward_intermediates = None

    def __init__(self, *strides: int):
        super().__init__()
        self.feature_info = [{"reduction": stride} for stride in strides]


@pytest.mark.parametrize(
    ("strides", "middle"),
    [((2, 4, 8, 16, 32), 3), ((4, 8, 16), 1), ((8, 16, 16, 32), 2), ((16,) * 12, 5), ((16,), 0), ((4, 8, 64), 1)],
)
def test_the_middle_layer_is_that_of_stride_16_or_8_or_halfway(strides, middle):
    assert middle_layer(Told(*strides)) == middle


def test_networks_without_such_maps_are_refused_and_the_defaults_are_a_small_one():
    with pytest.raises(ModelError, match=r"has no layer of stride 8 or 16; its strides are \[2, 4\]"):
        middle_layer(Told(2, 4))
    for part in ("feature_info", "forward_intermediates"):
        network = type("Bare", (nn.Module,), {"feature_info": [{"reduction": 16}], "forward_intermediates": None})
        delattr(network, part)
        with pytest.raises(ModelError, match="timm gives no maps of this network"):
            middle_layer(network())
    with pytest.raises(ModelError, match=r"no network of this name; near it: .*resnet18"):
        PictureEncoder(classes=2, encoder="esnet18.tag")
    assert picture_network("resnet18", (64, 64)).num_classes == 0
