"""What is held back of a pretrained part: no gradients, evaluation state, and its last blocks let go."""

import pytest
import torch
from torch import nn

from tests.models.networks import BEHIND, NORMED, clip_of
from vidtok.errors import ConfigError, ModelError
from vidtok.models.encoder import PictureEncoder
from vidtok.models.encoder_vivit import EncoderViViT
from vidtok.models.network import Network
from vidtok.train.groups import freeze
from vidtok.train.norms import training_mode

# test_efficientnet: stem, five stages, and a convolution with its norm behind them.
BEFORE = {"conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2"}
BLOCKS = {f"blocks.{k}" for k in range(5)}
BODY = {"conv_stem", "bn1", "conv_head", "bn2"} | BLOCKS


def parts(network: PictureEncoder, *, trained: bool) -> set[str]:
    names = [name.split(".")[1:3] for name, p in network.named_parameters() if p.requires_grad == trained]
    return {
        ".".join(words if words[0] == "blocks" else words[:1]) for words in names if words[0] not in ("weight", "bias")
    }


@pytest.mark.parametrize(
    ("trained_blocks", "held"), [(0, BODY), (2, BEFORE), (5, BODY - BLOCKS - {"conv_head", "bn2"}), (None, set())]
)
def test_the_last_blocks_and_what_follows_them_are_trained(trained_blocks, held):
    network = PictureEncoder(**NORMED, classes=3, trained_blocks=trained_blocks)
    assert parts(network, trained=False) == held
    assert parts(network, trained=True) == BODY - held
    assert network.head.weight.requires_grad


def states(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_step_moves_nothing_that_is_held_back_and_the_rest_to_its_norms():
    torch.manual_seed(0)
    network = PictureEncoder(**NORMED, classes=3, trained_blocks=2)
    nn.init.normal_(network.head.weight)
    before = states(network)
    training_mode(network)
    assert network.training
    assert not network.body.training, "its own layers have functions that ask it"
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(clip_of(network)).square().sum().backward()
    optimizer.step()
    moved = {name for name, value in states(network).items() if not torch.equal(value, before[name])}
    assert not any(name.removeprefix("body.").startswith(tuple(BEFORE)) for name in moved)
    assert {"body.bn2.running_mean", "body.bn2.weight", "body.conv_head.weight", "head.weight"} <= moved
    assert any(name.startswith("body.blocks.3.") and name.endswith("running_var") for name in moved)
    assert not any(module.training for module in network.eval().modules())


def test_a_frozen_encoder_drops_nothing_in_training():
    network = EncoderViViT(**BEHIND, classes=3, dropout=0.5)
    for module in network.encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.9
    network.train()
    x = clip_of(network)
    assert torch.equal(network.encoder.tokens(x), network.encoder.tokens(x))
    assert not torch.equal(network.features(x), network.features(x))
    assert not network.encoder.tokens(x).requires_grad


def test_more_blocks_than_there_are_are_refused():
    for make in (
        lambda n: PictureEncoder(**NORMED, classes=3, trained_blocks=n),
        lambda n: EncoderViViT(**BEHIND, classes=3, trained_blocks=n),
    ):
        for wrong in (-1, 13):
            with pytest.raises(ModelError, match=rf"`trained_blocks`={wrong}: the encoder has \d+ blocks"):
                make(wrong)


def test_freezing_what_is_left_is_told():
    with pytest.raises(ConfigError, match="leaves nothing to train"):
        freeze(PictureEncoder(**NORMED, classes=3), ["head.*"])
