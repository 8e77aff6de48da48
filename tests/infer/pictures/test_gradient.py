"""Class maps by the gradient: exact where a mean and a linear layer follow, and on every way in which tokens stand."""

import pytest
import torch

from tests.infer.pictures.scenes import GRID, LEARNED, network_of, scene_of, shown
from tests.models.networks import clip_of, filled
from vidtok.errors import ModelError
from vidtok.infer.pictures.gradient import class_parts, gradient
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.looks import at_rest
from vidtok.nn.token_learner import TokenLearnerOptions


def test_the_parts_of_a_mean_and_a_linear_layer_add_up_to_the_logit():
    network = network_of()
    with at_rest(network):
        scene = scene_of(network, label=2)
        parts, place = class_parts(scene)
        logit = network.logits(scene.clip)[0, 2] - network.head.logits.bias[2]
    assert place == "behind pool.norm"
    assert parts.shape == GRID
    assert float(parts.sum()) == pytest.approx(float(logit), abs=1e-5)
    (panel,) = shown(gradient, network, label=2)
    torch.testing.assert_close(panel.maps, parts.clamp(min=0))
    assert (panel.title, panel.query) == ("for wave", "the class wave")


@pytest.mark.parametrize(
    ("cls", "options", "place"),
    [
        (ViViT, {"pool": "cls"}, "behind encoder.blocks.1.norms.0"),
        (ViViT, {"norm_position": "after_pool"}, "behind block 2 of 2"),
        (ViViT, {"token_learner": LEARNED}, "before encoder.token_learners.0"),
        (ViViT, {"token_learner": TokenLearnerOptions(after_block=0, tokens=3, fuse=True)}, "behind pool.norm"),
        (FactorisedEncoderViViT, {"time_depth": 0}, "behind space_pool.norm"),
        (FactorisedEncoderViViT, {"time_depth": 1, "pool": "cls"}, "behind space.blocks.1.norms.0"),
    ],
)
def test_it_is_the_last_grid_that_reaches_the_logit(cls, options, place):
    network = network_of(cls, **options)
    (panel,) = shown(gradient, network)
    assert panel.place == place
    assert panel.maps.shape == GRID
    assert panel.maps.max() > 0
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_of_an_encoder_it_is_what_its_head_sees():
    network = filled("encoder, frozen")
    with at_rest(network):
        parts, place = class_parts(scene_of(network, clip=clip_of(network, 1)))
    assert place == "maps 1 of the encoder"
    assert parts.shape == network.grid


def test_a_last_layer_of_zeros_has_no_gradient():
    network = ViViT(classes=3, frames=4, size=16, tubelet=(2, 8, 8), width=12, depth=1, heads=2)
    with pytest.raises(ModelError, match="no gradient of the class reaches tokens on a grid"):
        shown(gradient, network)
