from fnmatch import fnmatch

import pytest
import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import nn

from tests.models.costs import COSTS
from vidtok.models import casvit, maxvit, stvit
from vidtok.models.architecture import Architecture
from vidtok.models.cost import count_cost
from vidtok.models.options import plain
from vidtok.models.presets import PRESETS, list_models
from vidtok.models.vivit import ViViT
from vidtok.nn.mixers import make_mixer
from vidtok.nn.token_learner import TokenLearnerOptions

TIME, SPACE = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}
SIZES = {"classes": 5, "frames": 8, "size": (32, 48), "tubelet": (2, 8, 8), "width": 24, "depth": 2, "heads": 2}


LARGE_MODELS = (
    "*_l*",
    "*_h16*",
    "*_r101",
    "*_base*",
    "*large*",
    "*_b",
    "*_s",
    "*small*",
    "slowfast*",
    "mvit*",
    "*_fsa",
    "*_fdp",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * any(fnmatch(name, pattern) for pattern in LARGE_MODELS))
        for name in list_models()
    ],
)
def test_published_models_cost_exactly_what_their_layers_do(name):
    preset = PRESETS[name]
    plan = Architecture(network=preset.network, options=plain(preset.options), frames=preset.frames, size=preset.size)
    with torch.device("meta"):
        network = plan.build(classes=preset.classes)
    cost = count_cost(network, frames=preset.frames, size=preset.size)[""]
    assert (cost.parameters, cost.macs) == COSTS[name]


def test_a_layer_that_multiplies_by_itself_is_counted():
    class Products(nn.Module):
        def forward(self, x):
            tokens = x.flatten(3).transpose(2, 3)
            attended = F.scaled_dot_product_attention(tokens, tokens, tokens)
            return einsum(attended, tokens, "b f n c, b f m c -> b f n m")

    frames, n, colours = 2, 20, 3
    assert count_cost(Products(), frames=frames, size=(4, 5))[""].macs == frames * 3 * n * n * colours


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


class OnGrid(nn.Module):
    """A mixer alone: each pixel of the clip is a token as wide as there are colours."""

    def __init__(self, width, **spec):
        super().__init__()
        self.mixer = make_mixer(width, heads=2, spec=spec)

    def forward(self, x):
        return self.mixer(rearrange(x, "b t d h w -> b t h w d"))


def mixer_macs(grid, c, **spec):
    return count_cost(OnGrid(c, **spec), frames=grid[0], size=grid[1:], colours=c)[""].macs


def test_super_token_attention_is_the_paper_s_formula():
    """2 m² C + 4 m C² + 28 N C, of which sampling 19 N C (Huang et al., arXiv 2211.11167, section 3.3).

    The paper counts the N C additions of the cells' first means; here pooling is left out, as everywhere.
    """
    h, w, c, cell = 24, 40, 16, 4
    n, m = h * w, h * w // cell**2
    macs = mixer_macs((1, h, w), c, name="super_token", cells=(1, cell, cell))
    means = n * c
    assert macs + means == 2 * m**2 * c + 4 * m * c**2 + 28 * n * c
    among = mixer_macs((1, h // cell, w // cell), c, name="mhsa")
    assert among == 2 * m**2 * c + 4 * m * c**2
    giving_back = 9 * n * c
    assert macs + means - among - giving_back == 19 * n * c


def test_super_token_attention_over_time_has_27_neighbours_in_place_of_9():
    t, h, w, c = 4, 24, 40, 16
    n, m = t * h * w, t * h * w // (2 * 4 * 4)
    macs = mixer_macs((t, h, w), c, name="super_token", cells=(2, 4, 4))
    assert macs == 2 * m**2 * c + 4 * m * c**2 + 3 * 27 * n * c


def test_multi_axis_attention_costs_its_window_for_each_token():
    """4 N C² + 2 N P C for windows of P tokens: linear in N (Tu et al., arXiv 2204.01697, section 3.2)."""
    t, h, w, c = 4, 14, 21, 16
    n, p = t * h * w, 2 * 7 * 7
    for partition in ("block", "grid"):
        macs = mixer_macs((t, h, w), c, name="multi_axis", window=(2, 7, 7), partition=partition)
        assert macs == 4 * n * c**2 + 2 * n * p * c


def test_additive_attention_has_no_product_of_tokens_with_tokens():
    """Convolutional additive: O(N C (C + k²)) (Zhang et al., arXiv 2408.03703, section 3.3).

    Queries, keys and values, four depth-wise convolutions, two scores for each token, and the gates of the channels.
    """
    t, h, w, c = 4, 6, 10, 16
    n = t * h * w
    assert mixer_macs((t, h, w), c, name="conv_additive") == 3 * n * c**2 + 4 * n * c * 27 + 2 * n * c + 2 * c**2
    assert mixer_macs((t, h, w), c, name="separable") == 3 * n * c**2 + n * c
    assert mixer_macs((t, h, w), c, name="efficient_additive") == 4 * n * c**2 + n * c


@pytest.mark.parametrize(
    ("name", "linear"),
    [
        ("mhsa", False),
        ("super_token", False),
        ("multi_axis", True),
        ("conv_additive", True),
        ("separable", True),
        ("efficient_additive", True),
    ],
)
def test_growth_with_the_number_of_tokens(name, linear):
    one, two, three = (mixer_macs((2, 14, 14 * times), 16, name=name) for times in (1, 2, 3))
    assert (three - two == two - one) == linear
    assert three - two >= two - one


# Multiply-adds of an image of 224 × 224 pixels in G, counted by hand from the papers' architectures.
COUNTED = (*stvit.STVIT_SIZES, *maxvit.MAXVIT_SIZES, *casvit.CASVIT_SIZES)
GIGA = (4.35, 9.84, 15.56, 5.55, 11.58, 23.9, 43.49, 97.21, 0.5468, 0.912, 1.859, 3.557)


@pytest.mark.parametrize(("name", "giga"), list(zip(COUNTED, GIGA, strict=True)))
def test_published_image_networks_cost_what_was_counted_by_hand(name, giga):
    assert COSTS[name][1] / 1e9 == pytest.approx(giga, rel=0.01)
