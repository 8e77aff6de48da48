"""timm's MaxViT weights: other windows, clips, and families that do not fit. (Parity: tests/models/test_maxvit.)"""

import pytest
import timm
import torch

from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import CheckpointError
from vidtok.models.maxvit import MAXVIT_SIZES, MaxViT, MaxViTBlock
from vidtok.models.weights.maxvit_timm import load_maxvit_timm

TABLE = "stages.0.blocks.0.attn_block.attn.rel_pos.relative_position_bias_table"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return timm.create_model("maxvit_tiny_tf_224", num_classes=3).state_dict()


def test_bias_tables_are_spread_over_time_and_resized_in_space(state):
    network = MaxViT(
        classes=3, frames=4, size=(256, 192), window=(2, 8, 6), temporal_kernel=3, **MAXVIT_SIZES["maxvit_tiny_tf_224"]
    )
    report = load_maxvit_timm(network, state)
    assert f"{TABLE} (bias table 13 × 13 -> 15 × 11)" in report.resized
    assert not report.missing
    bias = network.stages[0][0].block.mixer.bias.detach()
    assert bias.shape == (2, 3, 15, 11)
    torch.testing.assert_close(bias[:, 0], bias[:, 2])
    # The middle (the token itself) and the corners stay.
    torch.testing.assert_close(bias[:, 1, 7, 5], state[TABLE][:, 6, 6])
    torch.testing.assert_close(bias[:, 1, 0, 10], state[TABLE][:, 0, 12])


def test_the_same_window_is_repeated_over_time(state):
    network = MaxViT(classes=3, frames=4, window=(4, 7, 7), **MAXVIT_SIZES["maxvit_tiny_tf_224"])
    report = load_maxvit_timm(network, state)
    assert f"{TABLE} (bias table repeated at 7 distances in time)" in report.resized
    torch.testing.assert_close(network.stages[0][0].block.mixer.bias.detach()[:, 5], state[TABLE])


def test_other_families_do_not_fit():
    other = timm.create_model("maxvit_rmlp_pico_rw_256", num_classes=3).state_dict()
    with pytest.raises(CheckpointError, match=r"attn_block|stem|shape"):
        load_maxvit_timm(MaxViT(classes=3, **MAXVIT_SIZES["maxvit_tiny_tf_224"]), other)


def test_a_block_takes_its_own_keys(state):
    prefix = "stages.1.blocks.1."
    block = MaxViTBlock(128, 128)
    report = load_maxvit_timm(block, {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    assert not report.missing
    torch.testing.assert_close(block.spread.mlp[0].weight.detach(), state[f"{prefix}attn_grid.mlp.fc1.weight"])


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("maxvit_block_s2")
