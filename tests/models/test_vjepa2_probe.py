"""V-JEPA 2's probe as a network: clips one after the other, depths side by side, as loops over its parts have them."""

import pytest
import torch

from tests.models.networks import VJEPA2_OPTIONS
from vidtok.errors import ModelError
from vidtok.models.encoder_plan import EncoderPlan
from vidtok.models.vjepa2_probe import VJEPA2Probe

PLAN = EncoderPlan(network="transformers", options=VJEPA2_OPTIONS)


def made(**options) -> VJEPA2Probe:
    torch.manual_seed(0)
    return VJEPA2Probe(
        **{"classes": 3, "frames": 4, "size": 16, "encoder": PLAN, "heads": 2, "depth": 2, **options}
    ).eval()


def clips(count: int) -> torch.Tensor:
    return torch.randn(2, 4 * count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_the_probe_sees_the_tokens_of_all_clips_and_layers():
    network, x = made(layers=(0, 1)), clips(3)
    with torch.no_grad():
        levels = [network.encoder.features(clip, depths=[1, 2]) for clip in x.split(4, dim=1)]
        tokens = torch.cat([level.flatten(1, 3) for clip in levels for level in clip], dim=1)
        torch.testing.assert_close(network(x), network.probe(tokens), rtol=0, atol=1e-5)
        assert not torch.allclose(network(x), network(x[:, :4]), atol=1e-3), "the other clips are seen"
        assert network.features(x).shape == (2, 3 * 2, 2 * 4, 24)


def test_without_layers_the_last_one_s_and_features_follow_the_clips():
    network, x = made(), clips(2)
    with torch.no_grad():
        first, second = (network.encoder.tokens(clip) for clip in x.split(4, dim=1))
        assert network.grid == (2, 2, 2)
        torch.testing.assert_close(network.features(x), torch.cat([first, second], dim=1))
        (middle,) = network.features(x, depths=[1])
        torch.testing.assert_close(middle[:, 2:], network.encoder.features(x[:, 4:], depths=[1])[0])


def test_what_is_no_whole_number_of_clips_is_refused():
    network = made()
    with pytest.raises(ModelError, match="was built for clips of b 4 3 16 16"):
        network(torch.zeros(1, 6, 3, 16, 16))
    with pytest.raises(ModelError, match="takes normalised clips of floats"):
        network(torch.zeros(1, 8, 3, 16, 16, dtype=torch.uint8))


def test_layers_that_cannot_be_are_refused():
    for layers in ((2,), (-1,), ()):
        with pytest.raises(ModelError, match=r"the encoder has blocks 0 to 1"):
            made(layers=layers)
    with pytest.raises(ModelError, match="a probe sees depths of one grid and width side by side"):
        made(layers=(0,), encoder="test_efficientnet", size=64, heads=1)


@pytest.mark.parametrize(
    ("options", "held"), [({}, True), ({"trained_blocks": 0}, True), ({"trained_blocks": None}, False)]
)
def test_the_encoder_is_held_back_and_the_probe_is_not(options, held):
    network = made(**options).train()
    parts = {name.partition(".")[0]: set() for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        parts[name.partition(".")[0]].add(parameter.requires_grad)
    assert parts == {"encoder": {not held}, "probe": {True}}
    assert network.encoder.training is not held, "nor do its dropout and its statistics move"
