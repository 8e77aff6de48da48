"""What layers got in a run: every mixer stands on its grid, and its rows are those of its own map."""

import pytest
import torch
from einops import rearrange

from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.looks import at_rest
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.nn.trace import layers_of, query_rows

SIZES = {"classes": 3, "frames": 4, "size": (16, 24), "tubelet": (2, 8, 8), "width": 12, "depth": 2, "heads": 2}
GRID = (2, 2, 3)
LEARNED = TokenLearnerOptions(after_block=1, tokens=4)


def traced(cls=ViViT, **options):
    torch.manual_seed(0)
    network = cls(**{**SIZES, **options})
    x = torch.randn(1, 4, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with at_rest(network):
        return network, *layers_of(network, network.logits, x)


def test_every_mixer_stands_on_the_grid():
    network, mixed, learned = traced()
    assert [(layer.grid, layer.apart, layer.class_token, layer.learned) for layer in mixed] == [
        (GRID, False, False, None)
    ] * 2
    assert [layer.mixer for layer in mixed] == [block.mixers[0] for block in network.blocks]
    assert not learned
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_super_tokens_own_attention_is_a_part_of_them():
    _, mixed, _ = traced(mixer={"name": "super_token"})
    assert [type(layer.mixer).__name__ for layer in mixed] == ["SuperToken"] * 2


def test_learned_tokens_hand_their_numbers_on_to_their_places():
    _, mixed, learned = traced(token_learner=LEARNED)
    assert mixed[0].learned is None
    assert mixed[1].learned is learned[0]
    weights = torch.zeros(1, 8)
    weights[0, 4 + 2] = 1.0  # the third token of the second time step
    found = mixed[1].on_grid(weights)
    assert not found[0, 0].any()
    torch.testing.assert_close(found[0, 1], learned[0].maps[0, 1, 2])


@pytest.mark.parametrize("options", [{}, {"token_learner": LEARNED}, {"pool": "cls"}])
def test_time_steps_that_were_clips_of_their_own_come_back_together(options):
    _, mixed, learned = traced(FactorisedEncoderViViT, **options)
    first = mixed[0]
    assert (first.grid, first.apart) == (GRID, True)
    assert [layer.says_where for layer in mixed[-1:]] == [False]  # the time encoder sees one place
    if learned:
        assert learned[0].maps.shape == (1, 2, 4, 2, 3)
        return
    tokens = first.inputs.shape[1:-1].numel()
    numbers = torch.arange(2.0 * tokens).view(2, tokens)
    expected = rearrange(numbers[:, tokens - 6 :], "t (h w) -> 1 t h w", h=2)
    assert torch.equal(first.on_grid(numbers), expected)


def test_the_class_token_stands_first_and_is_the_query():
    _, mixed, _ = traced(pool="cls")
    layer = mixed[-1]
    assert layer.class_token
    attention, _ = layer.mixer.attention_map(layer.inputs)
    rows, words = query_rows(layer, None)
    assert words == "the class token"
    torch.testing.assert_close(rows, attention[:, :, 0])
    rows, _ = query_rows(layer, (1, 0, 2))
    torch.testing.assert_close(rows, attention[:, :, 1 + 6 + 2])
    assert layer.on_grid(torch.arange(13.0)[None])[0, 1, 0, 2] == 1 + 6 + 2


def test_a_point_s_learned_tokens_look_by_their_shares_of_it():
    _, mixed, learned = traced(token_learner=LEARNED)
    attention, _ = mixed[1].mixer.attention_map(mixed[1].tokens)
    rows, _ = query_rows(mixed[1], (1, 1, 2))
    own = learned[0].maps[0, 1, :, 1, 2]
    expected = sum(own[s] / own.sum() * attention[:, :, 4 + s] for s in range(4))
    torch.testing.assert_close(rows, expected)


def test_a_point_is_seen_in_its_own_time_step_where_steps_are_apart():
    _, mixed, _ = traced(FactorisedEncoderViViT)
    attention, _ = mixed[0].mixer.attention_map(mixed[0].tokens)
    rows, words = query_rows(mixed[0], (1, 0, 1))
    assert words.endswith("in its own time step")
    assert not rows[0].any()
    torch.testing.assert_close(rows[1], attention[1, :, 1])
    every, _ = query_rows(mixed[0], None)
    torch.testing.assert_close(every, attention.mean(2) / 2)
    assert float(mixed[0].on_grid(every.mean(1)).sum().detach()) == pytest.approx(1, abs=1e-5)


def test_additive_mixers_have_no_rows():
    _, mixed, _ = traced(mixer={"name": "separable"})
    assert query_rows(mixed[-1], None) is None
