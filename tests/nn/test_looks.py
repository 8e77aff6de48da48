"""What the networks' attention methods share, on layers whose maps are known."""

import pytest
import torch
from torch import nn

from vidtok.errors import ModelError
from vidtok.nn.looks import (
    at_rest,
    energy,
    heads_of,
    in_time_steps,
    inputs_of,
    last_where,
    look,
    softmax_kept,
    spread_tokens,
)
from vidtok.nn.mixers import make_mixer
from vidtok.types import AttentionMap


class Given(nn.Module):
    """A mixer whose map is given."""

    needs_grid = False

    def __init__(self, attention, **says):
        super().__init__()
        self.attention = attention
        for name, value in says.items():
            setattr(self, name, value)

    def attention_map(self, x, *, query=None):
        rows = self.attention
        if query is not None:
            rows = rows[:, :, query] if rows.dim() == 4 else rows[:, query]
        return rows, x


def test_attention_is_the_mean_over_heads_and_queries():
    attention = torch.rand(2, 3, 4, 4)
    found = look(Given(attention), torch.zeros(2, 4, 5))
    torch.testing.assert_close(found.weights, attention.mean((1, 2)))
    assert (found.query, found.meaning) == ("mean over all tokens", "attention, mean over the heads")


def test_the_class_token_looks_alone():
    attention = torch.rand(2, 3, 4, 4)
    found = look(Given(attention), torch.zeros(2, 4, 5), class_token=True)
    torch.testing.assert_close(found.weights, attention[:, :, 0].mean(1))
    assert found.query == "the class token"


def test_only_the_heads_that_hold_a_where_count():
    attention = torch.rand(2, 4, 4, 4)
    found = look(Given(attention, where_heads=slice(2, None)), torch.zeros(2, 4, 5))
    torch.testing.assert_close(found.weights, attention[:, 2:].mean((1, 2)))
    assert found.meaning == "attention, mean over the heads that look over space"


@pytest.mark.parametrize("class_token", [False, True])
def test_additive_maps_are_magnitudes_of_all_tokens(class_token):
    added = torch.randn(2, 4, 5)
    found = look(Given(added, map_meaning="what is added"), torch.zeros(2, 4, 5), class_token=class_token)
    torch.testing.assert_close(found.weights, added.abs().mean(-1))
    assert (found.query, found.meaning) == ("the same for every token", "mean magnitude of what is added")


def test_learned_tokens_are_not_taken_for_heads():
    # An additive map `b t s d` has as many axes as attention `b heads q n`.
    torch.manual_seed(0)
    mixer, x = make_mixer(6, heads=2, spec={"name": "separable"}), torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(look(mixer, x).weights, mixer.attention_map(x)[0].abs().mean(-1).flatten(1))


def test_the_way_back_to_the_grid_is_a_plain_sum():
    generator = torch.Generator().manual_seed(0)
    weights, learned = torch.rand(2, 2, 3, generator=generator), torch.rand(2, 2, 3, 4, 5, generator=generator)
    expected = torch.zeros(2, 2, 4, 5)
    for b in range(2):
        for t in range(2):
            for s in range(3):
                expected[b, t] += weights[b, t, s] * learned[b, t, s] / learned[b, t, s].sum()
    torch.testing.assert_close(spread_tokens(weights, learned), expected)


def test_time_steps_come_back_to_their_clips():
    maps = torch.arange(2 * 3 * 4, dtype=torch.float32).view(6, 1, 2, 2)
    words = {"place": "here", "query": "all", "meaning": "so"}
    found = in_time_steps(AttentionMap(maps=maps, **words), clips=2)
    assert torch.equal(found.maps, maps.view(2, 3, 2, 2) / 3)
    assert found.query == "all, each time step by itself"
    learned = torch.arange(6 * 5 * 4, dtype=torch.float32).view(6, 1, 5, 2, 2)
    assert torch.equal(in_time_steps(AttentionMap(maps=learned, **words), clips=2).maps, learned.view(2, 3, 5, 2, 2))


def test_the_last_layer_with_a_where():
    space, time, split = (
        make_mixer(8, heads=2, spec={"name": "mhsa", "axes": axes}) for axes in ("space", "time", "split")
    )
    assert last_where([space, split, time]) == 1
    assert last_where([time, space]) == 1
    assert heads_of(split) == slice(1, None)
    flat = make_mixer(8, heads=2, spec={"name": "multi_axis", "window": (4, 1, 1)})
    wide = make_mixer(8, heads=2, spec={"name": "multi_axis", "window": (1, 1, 2)})
    assert last_where([wide, flat]) == 0
    with pytest.raises(ModelError, match="no layer of this network looks from one place to another"):
        last_where([time, flat])


def test_energy_is_the_mean_magnitude_over_channels():
    tokens = torch.arange(-12.0, 12.0).view(1, 2, 2, 3, 2)
    expected = torch.tensor([(abs(2 * i - 12) + abs(2 * i - 11)) / 2 for i in range(12)]).view(1, 2, 2, 3)
    found = energy(tokens, place="there")
    assert torch.equal(found.maps, expected)
    assert found.place == "there"


def test_every_softmax_in_there_is_kept():
    x = torch.randn(2, 3)
    with softmax_kept() as kept:
        results = [x.softmax(-1), torch.softmax(x, 0), nn.functional.softmax(x, dim=-1)]
        x.exp()
    x.softmax(-1)
    assert len(kept) == 3
    assert all(torch.equal(one, other) for one, other in zip(kept, results, strict=True))


def test_hooks_and_states_are_gone_even_after_an_error():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    network[1].eval()
    with at_rest(network):
        assert not network.training
        assert not torch.is_grad_enabled()
        with pytest.raises(RuntimeError):
            inputs_of([network[0]], network, torch.zeros(1, 3))
    assert torch.is_grad_enabled()
    assert network.training
    assert network[0].training
    assert not network[1].training
    assert not network[0]._forward_pre_hooks


def test_a_map_has_places():
    words = {"place": "here", "query": "all", "meaning": "so"}
    for shape in ((1, 2, 0, 2), (1, 0, 2, 2)):
        with pytest.raises(ValueError, match="one place at least"):
            AttentionMap(maps=torch.zeros(shape), **words)
    assert len(AttentionMap(maps=torch.zeros(0, 1, 2, 2), **words).maps) == 0
