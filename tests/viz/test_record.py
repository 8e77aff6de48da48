"""Recorded maps against maps that are worked out by hand, for every way in which tokens stand."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.models.classifier import Classifier
from vidtok.models.vivit import ViViT
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.viz.record import record_attention, to_grid

GRID = (2, 3, 4)


def model(**options):
    torch.manual_seed(0)
    network = ViViT(
        **{
            "classes": 3, "frames": 4, "size": (24, 32), "tubelet": (2, 8, 8), "width": 16, "depth": 2, "heads": 2,
            **options,
        }
    )  # fmt: skip
    return Classifier(network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=("a", "b", "c")).train()


def clip():
    return torch.randint(0, 256, (4, 3, 24, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def test_learned_tokens_hand_their_weight_to_their_places():
    built = model(token_learner=TokenLearnerOptions(after_block=1, tokens=3))
    seen = record_attention(built, clip(), grid=GRID)
    assert built.training
    assert not built.network.blocks[1]._forward_pre_hooks
    assert seen.learned.shape == (2, 3, 3, 4)
    assert torch.allclose(seen.learned.sum((-2, -1)), torch.ones(2, 3), atol=1e-5)
    assert seen.last.sum().item() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(seen.scores, built.eval()(clip()[None])[0].softmax(-1), atol=1e-6)


def test_scores_of_several_labels():
    built = model()
    seen = record_attention(built, clip(), grid=GRID, kind="sigmoid")
    assert torch.allclose(seen.scores, built.eval()(clip()[None])[0].sigmoid(), atol=1e-6)


def test_the_way_back_to_the_grid_is_a_plain_sum():
    heads, s = 2, 3
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(heads, 2 * s, 2 * s, generator=generator)
    learned = torch.rand(2, s, 3, 4, generator=generator)
    expected = torch.zeros(GRID)
    for t in range(2):
        for token in range(s):
            weight = sum(attention[h, q, t * s + token] for h in range(heads) for q in range(2 * s)) / (heads * 2 * s)
            expected[t] += weight * learned[t, token] / learned[t, token].sum()
    assert torch.allclose(to_grid(attention, learned, GRID), expected, atol=1e-6)


def test_without_token_learner_a_token_is_a_place():
    attention = torch.arange(2 * 24 * 24, dtype=torch.float32).view(2, 24, 24)
    assert torch.equal(to_grid(attention, None, GRID).flatten(), attention.mean((0, 1)))
    seen = record_attention(model(), clip(), grid=GRID)
    assert seen.learned is None
    assert seen.last.shape == GRID


def test_a_class_token_is_left_out():
    seen = record_attention(model(pool="cls"), clip(), grid=GRID)
    assert seen.last.shape == GRID
    assert 0.5 < seen.last.sum().item() < 1


@pytest.mark.parametrize("name", ["super_token", "multi_axis", "conv_additive", "separable", "efficient_additive"])
def test_every_mixer_can_be_shown(name):
    seen = record_attention(model(mixer={"name": name}), clip(), grid=GRID)
    assert seen.last.shape == GRID
    assert seen.last.isfinite().all()


def test_a_network_without_attention_is_told():
    with pytest.raises(ModelError, match="no mixer with an attention map"):
        record_attention(torch.nn.Linear(2, 2), clip(), grid=GRID)
