"""The network's own maps as panels: what is nearest to the logits first."""

import pytest
import torch

from tests.infer.pictures.scenes import LEARNED, network_of, scene_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.attention import attention


def test_they_are_the_network_s_own():
    network = network_of(token_learner=LEARNED)
    learned, last = network.attention(scene_of(network).clip)
    found = shown(attention, network)
    assert [panel.title for panel in found] == ["attention", "token 1", "token 2", "token 3"]
    assert torch.equal(found[0].maps, last.maps[0])
    assert torch.equal(found[3].maps, learned.maps[0, :, 2])
    assert (found[0].place, found[1].place) == (last.place, learned.place)


def test_a_network_that_looks_nowhere_says_so():
    with pytest.raises(ModelError, match="attention shows nothing of this network: no layer of this network looks"):
        shown(attention, network_of(mixer={"name": "mhsa", "axes": "time"}))
