"""Probes behind an encoder: what each sees of the tokens."""

import pytest
import torch

from tests.models.contract import keeps_the_contract
from tests.models.networks import PROBED, clip_of, probed
from vidtok.models.encoder_probe import EncoderProbe
from vidtok.models.token_probes import TOKEN_PROBES, make_probe
from vidtok.nn.attentive_probe import AttentiveProbe, FrameOrderProbe
from vidtok.nn.token_probe import TokenLearnerProbe


@pytest.mark.parametrize(
    ("kind", "cls"),
    [("attentive", FrameOrderProbe), ("token_learner", TokenLearnerProbe), ("four_blocks", AttentiveProbe)],
)
def test_logits_are_the_probe_s_on_what_it_sees(kind, cls):
    network = probed(kind)().eval()
    assert isinstance(network.probe, cls)
    torch.nn.init.normal_(network.probe.head.weight)
    x = clip_of(network)
    with torch.no_grad():
        grid, plan = network.encoder.tokens(x), TOKEN_PROBES[kind]
        seen = grid if plan.needs_grid else plan.reduction(grid)
        assert torch.equal(network.features(x), seen)
        torch.testing.assert_close(network(x), network.probe(seen))
    assert seen.shape[:2] == grid.shape[:2]


def test_heads_divide_any_width():
    for width, heads in ((24, 12), (48, 16), (7, 7)):
        probe = make_probe("four_blocks", width, grid=(2, 1, 1), classes=2)
        assert probe.pool.attend.heads == heads


def test_time_steps_are_the_encoder_s():
    assert EncoderProbe(**PROBED, classes=2).probe.position.shape[0] == 2


def test_the_contract():
    keeps_the_contract("encoder_probe, attentive")


@pytest.mark.parametrize(
    ("options", "held"), [({}, True), ({"trained_blocks": 0}, True), ({"trained_blocks": None}, False)]
)
def test_the_encoder_is_held_back_and_the_probe_is_not(options, held):
    network = EncoderProbe(**PROBED, classes=2, **options).train()
    parts = {name.partition(".")[0]: set() for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        parts[name.partition(".")[0]].add(parameter.requires_grad)
    assert parts == {"encoder": {not held}, "probe": {True}}
    assert network.encoder.training is not held, "nor do its dropout and its statistics move"
