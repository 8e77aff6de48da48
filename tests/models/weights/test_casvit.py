"""The authors' CAS-ViT weights, with and without the distillation head."""

import pytest
import torch

from tests.golden.case import Case
from tests.golden.synthetic import synthetic_state
from tests.models.contract import gives_what_the_official_code_gave
from vidtok.errors import CheckpointError
from vidtok.models.casvit import CASViT
from vidtok.models.weights.casvit import load_casvit

SIZES = {"size": (72, 64), "widths": (8, 12, 16, 20), "depths": (1, 2, 1, 1)}


@pytest.fixture
def state(golden_folder):
    keys = Case.read(golden_folder / "casvit_tiny.json").meta["checkpoint_keys"]
    return {key: torch.from_numpy(value) for key, value in synthetic_state(keys, 33, "torch").items()}


@pytest.fixture
def distilled(state):
    generator = torch.Generator().manual_seed(0)
    return state | {
        "dist_head.weight": torch.randn(10, 20, generator=generator),
        "dist_head.bias": torch.randn(10, generator=generator),
    }


def test_every_key_is_used(state):
    report = load_casvit(CASViT(classes=10, **SIZES), state)
    assert set(report.used) == set(state)
    assert report.resized == report.skipped == report.missing == ()


def test_two_heads_give_the_same_logits_in_one_and_in_two(distilled):
    one, two = CASViT(classes=10, **SIZES), CASViT(classes=10, dist_head=True, **SIZES)
    report = load_casvit(one, distilled)
    assert [line.split(" ")[0] for line in report.resized] == ["head.weight", "head.bias"]
    assert [line.split(" ")[0] for line in report.skipped] == ["dist_head.weight", "dist_head.bias"]
    assert not load_casvit(two, distilled).skipped
    x = torch.randn(1, 1, 3, 72, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(one.eval()(x), two.eval()(x), rtol=1e-5, atol=1e-6)


def test_weights_without_the_second_head_do_not_fill_it(state):
    with pytest.raises(CheckpointError, match=r"set `dist_head`=false"):
        load_casvit(CASViT(classes=10, dist_head=True, **SIZES), state)


def test_heads_for_other_classes_keep_their_start(distilled):
    report = load_casvit(CASViT(classes=7, dist_head=True, **SIZES), distilled)
    assert report.missing == ("dist_head.bias", "dist_head.weight", "head.bias", "head.weight")
    report = load_casvit(CASViT(classes=7, **SIZES), distilled)
    assert report.missing == ("head.bias", "head.weight")


def test_keys_of_the_detection_form_are_named(state):
    with pytest.raises(CheckpointError, match=r"have no place in the network: norm0\.weight"):
        load_casvit(CASViT(classes=10, **SIZES), state | {"norm0.weight": torch.zeros(8)})


def test_a_block_takes_its_own_keys(state):
    network, prefix = CASViT(classes=10, **SIZES).eval(), "network.2.1."
    load_casvit(network, state)
    block = CASViT(classes=10, **SIZES).eval().stages[1][1]
    load_casvit(block, {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    x = torch.randn(1, 1, 3, 2, 12)
    torch.testing.assert_close(block(x), network.stages[1][1](x), rtol=0, atol=0)


def test_the_recorded_numbers():
    gives_what_the_official_code_gave("casvit_tiny")
