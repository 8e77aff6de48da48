"""TokenLearner's maps, token by token."""

import pytest
import torch

from tests.infer.pictures.scenes import LEARNED, network_of, scene_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.tokens import tokens
from vidtok.nn.token_learner import TokenLearnerOptions


def test_a_panel_for_each_token_that_sums_to_one():
    network = network_of(token_learner=LEARNED)
    found = shown(tokens, network)
    assert [panel.title for panel in found] == ["token 1", "token 2", "token 3"]
    for panel in found:
        torch.testing.assert_close(panel.maps.sum((1, 2)), torch.ones(2))
    (learned, _) = network.attention(scene_of(network).clip)
    torch.testing.assert_close(found[1].maps, learned.maps[0, :, 1])


def test_of_several_learners_one_can_be_asked_for():
    network = network_of(token_learner=TokenLearnerOptions(after_block=0, tokens=2, version="1.0", fuse=True))
    first, last = (shown(tokens, network, layer=number) for number in (1, 2))
    assert (first[0].place, last[0].place) == ("encoder.token_learners.0", "encoder.token_learners.1")
    assert first[0].meaning.endswith("0 to 1 for each place")
    assert [panel.title for panel in shown(tokens, network, layer="all")][::2] == ["1: token 1", "2: token 1"]
    assert torch.equal(shown(tokens, network)[0].maps, last[0].maps)
    with pytest.raises(ModelError, match="TokenLearners 1 to 2"):
        shown(tokens, network, layer=3)
