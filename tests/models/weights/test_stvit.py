"""The authors' STViT weights: layout, constants, and what does not fit."""

import pytest
import torch

from tests.golden.case import Case
from tests.golden.synthetic import synthetic_state
from tests.models.contract import gives_what_the_official_code_gave
from tests.models.families import tiny
from vidtok.errors import CheckpointError
from vidtok.models.stvit import STViT
from vidtok.models.weights.stvit import load_stvit
from vidtok.nn.mixers.super_token import SuperToken

SIZES = {
    "size": (72, 64),
    "widths": (8, 16, 24, 32),
    "depths": (1, 2, 2, 1),
    "heads": (1, 2, 3, 4),
    "cells": ((1, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1)),
    "projection": 48,
    "layer_scale": (None, None, 1e-6, 1e-6),
}


@pytest.fixture
def state(golden_folder):
    keys = Case.read(golden_folder / "stvit_tiny.json").meta["checkpoint_keys"]
    made = {key: torch.from_numpy(value) for key, value in synthetic_state(keys, 31, "torch").items()}
    return made | {key: torch.zeros(shape) for key, shape in keys.items() if key not in made}


def test_rows_that_stand_head_by_head_are_put_part_by_part():
    mixer = SuperToken(4, heads=2, cells=(1, 2, 2))
    # Each row holds 100 · head + 10 · part (q, k, v) + place within the head, in the authors' order.
    rows = torch.tensor([100.0 * head + 10 * part + i for head in range(2) for part in range(3) for i in range(2)])
    load_stvit(
        mixer,
        {
            "stoken_refine.qkv.weight": rows.view(12, 1, 1, 1).expand(-1, 4, -1, -1),
            "stoken_refine.qkv.bias": rows,
            "stoken_refine.proj.weight": torch.eye(4).view(4, 4, 1, 1),
            "stoken_refine.proj.bias": torch.zeros(4),
        },
    )
    want = [0, 1, 100, 101, 10, 11, 110, 111, 20, 21, 120, 121]
    assert mixer.refine.qkv.bias.tolist() == want
    assert mixer.refine.qkv.weight[:, 3].tolist() == want


def test_constants_are_left_out_and_everything_else_is_used(state):
    network = STViT(classes=10, **SIZES)
    report = load_stvit(network, state)
    folds = [key for key in state if key.endswith("fold.weights")]
    assert len(folds) == 12
    assert set(report.used) == set(state) - set(folds)
    assert {line.split(" ")[0] for line in report.skipped} == set(folds)
    assert not report.missing
    assert not report.resized
    again = load_stvit(network, {key: value for key, value in state.items() if key not in folds})
    assert not again.missing


def test_video_forms_say_what_was_inflated(state):
    cells = ((2, 4, 4), (2, 2, 2), (1, 1, 1), (1, 1, 1))
    network = STViT(classes=10, frames=4, temporal_kernel=3, **{**SIZES, "cells": cells})
    report = load_stvit(network, state)
    inflated = [line for line in report.resized if line.endswith("(inflated to 3 time steps, central)")]
    # Stem 4, downsampling 3, positions 6, MLPs 6.
    assert len(inflated) == len(report.resized) == 19
    kernel = network.stages[0][0].position.conv.weight
    torch.testing.assert_close(kernel[:, :, 1], state["layers.0.blocks.0.pos_embed.conv.weight"])
    assert float(kernel[:, :, [0, 2]].detach().abs().max()) == 0


def test_a_head_for_other_classes_keeps_its_start(state):
    network = STViT(classes=7, **SIZES)
    start = network.head.weight.detach().clone()
    report = load_stvit(network, state)
    assert report.missing == ("head.bias", "head.weight")
    assert any("head.weight (a head of 10 classes" in line for line in report.skipped)
    torch.testing.assert_close(network.head.weight.detach(), start)


def test_keys_that_do_not_fit_are_named(state):
    network = STViT(classes=10, **SIZES)
    with pytest.raises(CheckpointError, match=r"have no place in the network: stranger"):
        load_stvit(network, state | {"stranger": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"hold nothing for 1 parameters of the network: stages.1.0.mlp.expand"):
        load_stvit(network, {k: v for k, v in state.items() if k != "layers.1.blocks.0.mlp2.fc1.weight"})
    with pytest.raises(CheckpointError, match=r"patch_embed.proj.0.weight: its shape .* does not fit 'stem.0.weight'"):
        load_stvit(STViT(classes=10, **{**SIZES, "widths": (12, 16, 24, 32)}), state)


def test_another_depth_is_refused(state):
    with pytest.raises(CheckpointError, match="layers"):
        load_stvit(tiny("stvit"), state)


def test_a_block_takes_its_own_keys(state):
    network, prefix = STViT(classes=10, **SIZES).eval(), "layers.3.blocks.0."
    load_stvit(network, state)
    torch.manual_seed(1)
    block = STViT(classes=10, **SIZES).eval().stages[3][0]
    load_stvit(block, {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    x = torch.randn(1, 1, 3, 2, 32)
    torch.testing.assert_close(block(x), network.stages[3][0](x), rtol=0, atol=0)


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("stvit_tiny")
