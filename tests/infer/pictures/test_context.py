"""The context of additive attention: what the mixer's own map holds, place by place."""

import pytest
import torch

from tests.infer.pictures.scenes import LEARNED, network_of, scene_of, shown
from vidtok.infer.pictures.context import context
from vidtok.nn.looks import at_rest


@pytest.mark.parametrize("name", ["conv_additive", "separable", "efficient_additive"])
def test_it_is_the_magnitude_of_the_mixer_s_map(name):
    network = network_of(mixer={"name": name})
    first, last = shown(context, network, layer="all")
    assert (first.title, last.title) == ("context 1", "context 2")
    with at_rest(network):
        layer = scene_of(network).mixers[1]
        found = layer.mixer.attention_map(layer.inputs)[0]
    torch.testing.assert_close(last.maps, found[0].abs().mean(-1))
    (alone,) = shown(context, network)
    assert torch.equal(alone.maps, last.maps)


def test_learned_tokens_hand_it_on():
    network = network_of(token_learner=LEARNED, token_mixer={"name": "separable"})
    (panel,) = shown(context, network)
    with at_rest(network):
        layer = scene_of(network).mixers[1]
        found = layer.mixer.attention_map(layer.tokens)[0]
    torch.testing.assert_close(panel.maps.sum((1, 2)), found[0].abs().mean(-1).view(2, 3).sum(1))
