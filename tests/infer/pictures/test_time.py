"""Strips over time: a probe's attention, its evidence, or gradient times activation."""

import pytest
import torch

from tests.infer.pictures.scenes import network_of, scene_of, shown
from tests.models.networks import clip_of, filled
from vidtok.infer.pictures.gradient import class_parts
from vidtok.infer.pictures.time import time
from vidtok.nn.attentive_probe import AttentiveProbe, FrameOrderProbe
from vidtok.nn.looks import at_rest
from vidtok.nn.token_probe import TokenLearnerProbe


def test_every_network_has_the_evidence_of_its_last_grid():
    network = network_of()
    (panel,) = shown(time, network)
    with at_rest(network):
        parts, _ = class_parts(scene_of(network))
    torch.testing.assert_close(panel.over_time, parts.sum((1, 2)))
    assert panel.title == "evidence for wave"


@pytest.mark.parametrize("kind", ["attentive", "token_learner"])
def test_a_fitted_probe_speaks_for_itself(kind):
    network = filled(f"encoder_probe, {kind}")
    clip = clip_of(network, 1)
    (panel,) = shown(time, network, clip=clip)
    with at_rest(network):
        tokens, logits = network.tokens(clip), network.logits(clip)
        if kind == "attentive":
            torch.testing.assert_close(panel.over_time, network.probe.shares(tokens)[0].sum(-1))
        else:
            assert float(panel.over_time.sum()) == pytest.approx(float(logits[0, 1]), abs=1e-5)
    assert (panel.place, len(panel.over_time)) == ("probe", network.grid[0])


def test_shares_are_what_the_probes_look_at():
    """A token that is the query's own twin gets more; all get one together (with the class token's own)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 12, generator=generator)
    probe = AttentiveProbe(12, classes=3, heads=2, depth=2)
    shares = probe.shares(x)
    torch.testing.assert_close(shares.sum((1, 2)), torch.ones(2))
    attend = probe.pool.attend
    mixed = probe.pool.norm(probe.pool.blocks[0](x.flatten(1, 2)))
    query = probe.pool.query.expand(2, 1, 12)
    weights = attend.attention_of(query, mixed)
    values = attend.key_value(mixed).chunk(2, -1)[1].view(2, 12, 2, 6)
    out = torch.einsum("bhqn,bnhd->bqhd", weights, values).flatten(2)
    torch.testing.assert_close(out, attend(query, mixed))
    torch.testing.assert_close(shares.flatten(1), weights.mean(1)[:, 0])

    order = FrameOrderProbe(12, classes=3, frames=3, width=8, heads=2)
    own = order.attend.attention_map(order._with_token(x))[0][:, :, 0].mean(1)
    torch.testing.assert_close(order.shares(x).flatten(1), own[:, 1:])


def test_evidence_adds_up_to_the_logits():
    probe = TokenLearnerProbe(12, classes=3, frames=3, tokens=2, width=8, heads=2)
    torch.nn.init.normal_(probe.head.weight)
    torch.nn.init.normal_(probe.head.bias)
    x = torch.randn(2, 3, 4, 4, 12, generator=torch.Generator().manual_seed(0))
    found = probe.evidence(x)
    assert found.shape == (2, 3, 3)
    torch.testing.assert_close(found.sum(1), probe(x))
