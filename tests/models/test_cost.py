import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vidtok.models.cost import count_cost
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.mixers import MIXERS
from vidtok.nn.token_learner import TokenLearnerOptions

TIME, SPACE = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}
SIZES = {"classes": 5, "frames": 8, "size": (32, 48), "tubelet": (2, 8, 8), "width": 24, "depth": 2, "heads": 2}


def traced(network, frames, rows, columns):
    """Multiply-adds that torch's own counter sees (it counts two for each)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.randn(1, frames, 3, rows, columns))
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (ViViT, {}),
        (ViViT, {"pool": "cls", "pre_logits": 9}),
        (ViViT, {"mixer": {"name": "mhsa", "qkv_bias": "qv"}}),
        (ViViT, {"mixer": [[TIME, SPACE]]}),
        (ViViT, {"mixer": {"name": "mhsa", "axes": "split"}}),
        (ViViT, {"token_learner": TokenLearnerOptions(after_block=1)}),
        (ViViT, {"token_learner": TokenLearnerOptions(after_block=0, tokens=3, fuse=True)}),
        (ViViT, {"token_learner": TokenLearnerOptions(after_block=1, tokens=3, version="1.0")}),
        (ViViT, {"sampled_frames": 4, "tubelet": (1, 8, 8)}),
        (FactorisedEncoderViViT, {"time_depth": 3, "time_heads": 3, "time_mlp_ratio": 2.0}),
    ],
    ids=str,
)
def test_multiply_adds_are_those_that_the_tracer_sees(cls, options):
    network = cls(**{**SIZES, **options})
    assert count_cost(network, frames=8, size=(32, 48))[""].macs == traced(network, 8, 32, 48)


@pytest.mark.parametrize("name", sorted(MIXERS))
def test_every_mixer_counts_its_own_products(name):
    network = ViViT(**{**SIZES, "mixer": {"name": name}})
    assert count_cost(network, frames=8, size=(32, 48))[""].macs == traced(network, 8, 32, 48)


def test_global_attention_is_the_formula():
    """2 N² C + 4 N C² for each layer (Huang et al., arXiv 2211.11167, section 3.3)."""
    network = ViViT(**SIZES)
    cost = count_cost(network, frames=8, size=(32, 48))
    n, c = 4 * 4 * 6, 24
    assert cost["encoder.blocks.0.mixers.0"].macs == 2 * n**2 * c + 4 * n * c**2
    assert cost["encoder.blocks.0.mixers.0.qkv"].macs == 3 * n * c**2


def test_a_module_s_cost_includes_its_parts_and_the_whole_is_their_sum():
    network = ViViT(**SIZES, token_learner=TokenLearnerOptions(after_block=1))
    cost = count_cost(network, frames=8, size=(32, 48))
    assert set(cost) == {name for name, _ in network.named_modules()}
    parts = [cost[name] for name, _ in network.named_children()]
    assert cost[""].macs == sum(part.macs for part in parts)
    assert cost[""].parameters == sum(part.parameters for part in parts) == sum(p.numel() for p in network.parameters())
    learner = cost["encoder.token_learners.0"]
    n, c, s = 4 * 4 * 6, 24, 8
    assert learner.macs == n * (c * 64 + 64 * s) + n * c * s


def test_the_network_is_left_as_it_was():
    network = ViViT(**SIZES).train()
    count_cost(network, frames=8, size=(32, 48))
    assert network.training
    assert next(network.parameters()).device.type == "cpu"
    assert not network._forward_hooks


def test_a_layer_used_twice_counts_twice_but_has_its_parameters_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(self.layer(x))

    cost = count_cost(Twice(), frames=2, size=(5, 4))
    assert cost[""].macs == 2 * (2 * 3 * 5) * 16
    assert cost[""].parameters == 20
