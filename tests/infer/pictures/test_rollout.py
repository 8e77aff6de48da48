"""Rollout against the product of whole matrices."""

import pytest
import torch

from tests.infer.pictures.scenes import LEARNED, network_of, scene_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.rollout import rollout
from vidtok.infer.pictures.scene import Point
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.looks import at_rest


def matrices(network):
    """(A + I), rows summing to one, of every layer; and the layers."""
    with at_rest(network):
        layers = scene_of(network).mixers
        found = []
        for layer in layers:
            mean = layer.mixer.attention_map(layer.tokens)[0].mean(1)
            mixed = mean + torch.eye(mean.shape[-1])
            found.append(mixed / mixed.sum(-1, keepdim=True))
        return found, layers


@pytest.mark.parametrize("options", [{}, {"pool": "cls"}, {"mixer": {"name": "super_token"}}])
def test_it_is_the_product_of_the_layers(options):
    network = network_of(**options)
    (first, second), _ = matrices(network)
    whole = (second @ first)[0]
    expected = whole[0, 1:] if options.get("pool") else whole.mean(0)
    (panel,) = shown(rollout, network)
    torch.testing.assert_close(panel.maps.flatten(), expected)
    assert panel.place.startswith("from encoder.blocks.1.mixers.0 (")
    (at,) = shown(rollout, network, point=Point(time=0.9, y=0.3, x=0.6))
    torch.testing.assert_close(at.maps.flatten(), whole[44 + bool(options.get("pool"))][-64:])


def test_learned_tokens_hand_their_shares_to_their_places():
    network = network_of(token_learner=LEARNED)
    (first, second), layers = matrices(network)
    shares = second[0].mean(0).view(2, 3)
    maps = layers[1].learned.maps[0]
    on_grid = torch.einsum("ts,tshw->thw", shares, maps)
    (panel,) = shown(rollout, network)
    torch.testing.assert_close(panel.maps.flatten(), on_grid.flatten() @ first[0])
    assert float(panel.maps.sum()) == pytest.approx(1, abs=1e-5)


def test_a_time_encoder_s_shares_go_to_the_tokens_of_its_time_steps():
    network = network_of(FactorisedEncoderViViT, time_depth=1)
    (first, second, time), _ = matrices(network)
    steps = time[0].mean(0)
    expected = torch.stack([steps[t] / 32 * (second[t] @ first[t]).sum(0) for t in range(2)])
    (panel,) = shown(rollout, network)
    torch.testing.assert_close(panel.maps.flatten(1), expected)


def test_additive_mixers_have_none():
    with pytest.raises(ModelError, match="rollout shows nothing of this network"):
        shown(rollout, network_of(mixer={"name": "conv_additive"}))


def test_a_point_s_learned_tokens_start_by_their_shares_of_it():
    network = network_of(token_learner=LEARNED)
    (first, second), layers = matrices(network)
    maps = layers[1].learned.maps[0]
    own = maps[1, :, 1, 4]  # of the second time step
    shares = (own / own.sum()) @ second[0][3:]
    on_grid = torch.einsum("ts,tshw->thw", shares.view(2, 3), maps)
    (panel,) = shown(rollout, network, point=Point(time=0.9, y=0.3, x=0.6))
    torch.testing.assert_close(panel.maps.flatten(), on_grid.flatten() @ first[0])
    assert (panel.query, panel.title) == ("the token at the point", "rollout")


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_time_steps_of_their_own_by_their_class_tokens_or_their_means(pool):
    """Behind them a mean over time, or a time encoder of one layer with a class token of its own."""
    by_class = pool == "cls"
    network = network_of(FactorisedEncoderViViT, time_depth=0, pool=pool)
    (first, second), _ = matrices(network)
    steps = [second[t] @ first[t] for t in range(2)]
    expected = torch.stack([(each[0, 1:] if by_class else each.mean(0)) / 2 for each in steps])
    (panel,) = shown(rollout, network)
    torch.testing.assert_close(panel.maps.flatten(1), expected)
    assert panel.query == ("the class token" if by_class else "the mean")
    (at,) = shown(rollout, network, point=Point(time=0.9, y=0.3, x=0.6))
    assert not at.maps[0].any()
    torch.testing.assert_close(at.maps[1].flatten(), steps[1][12 + by_class, by_class:])
    if by_class:
        network = network_of(FactorisedEncoderViViT, time_depth=1, pool="cls")
        (first, second, time), _ = matrices(network)
        expected = torch.stack([time[0, 0, 1 + t] * (second[t] @ first[t])[0, 1:] for t in range(2)])
        (panel,) = shown(rollout, network)
        torch.testing.assert_close(panel.maps.flatten(1), expected)


def test_it_ends_before_a_layer_without_attention_and_needs_one_at_the_end():
    additive, attention = {"name": "conv_additive"}, {"name": "mhsa"}
    network = network_of(mixer=[additive, attention])
    (panel,) = shown(rollout, network)
    with at_rest(network):
        mean = scene_of(network).mixers[1]
        mean = mean.mixer.attention_map(mean.tokens)[0].mean(1)[0]
    torch.testing.assert_close(panel.maps.flatten(), (mean + torch.eye(64)).mean(0) / 2)
    assert panel.place.startswith("encoder.blocks.1.mixers.0 (")
    with pytest.raises(ModelError, match="whose last mixers have no attention between tokens"):
        shown(rollout, network_of(mixer=[attention, additive]))
