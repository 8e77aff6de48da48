"""The encoder in front of other layers: all of it, all to be trained, and no last layer."""

import pytest
import torch
from torch import nn

from vidtok.errors import ModelError
from vidtok.models.encoder_plan import EncoderPlan, encoder_in_front

VIVIT = {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}


def test_a_name_is_one_of_timm_s():
    network = encoder_in_front("test_efficientnet", frames=3, size=(32, 64))
    assert network.clip == (3, 32, 64)
    assert isinstance(network.head, nn.Identity)
    assert all(parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        last, _middle = network.eval().maps(torch.zeros(1, 3, 3, 32, 64))
    assert last.shape[:4] == (1, *network.grid)


def test_a_plan_s_options_are_followed_and_all_of_it_is_trained():
    """Though the plan was of a frozen one."""
    plan = EncoderPlan(network="own", options={"network": "vivit", "options": VIVIT, "trained_blocks": 0})
    network = encoder_in_front(plan, frames=4, size=16)
    assert len(network.blocks) == VIVIT["depth"]
    assert network.token_width == VIVIT["width"]
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert [name for name, _ in network.named_parameters() if name.startswith("head")] == []


def test_what_is_no_encoder_is_refused():
    plan = EncoderPlan(network="vivit_factorised", options={**VIVIT, "trained_blocks": 0})
    with pytest.raises(ModelError):
        encoder_in_front(plan, frames=4, size=16)
    probe = EncoderPlan(network="encoder_probe", options={"encoder": "test_efficientnet"})
    with pytest.raises(ModelError, match="`encoder`: encoder_probe is no encoder; they are encoder, own and transf"):
        encoder_in_front(probe, frames=2, size=32)
