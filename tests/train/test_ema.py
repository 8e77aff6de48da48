"""Averages against a plain loop in float64; they stand in for the weights and leave them as they were."""

import pytest
import torch
from torch import nn

from vidtok.errors import CheckpointError
from vidtok.train.ema import Averages


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()


def test_the_average_follows_its_formula():
    model = small()
    averages = Averages(model, decay=0.5)
    expected = [value.clone() for value in model.state_dict().values()]
    for n in range(1, 21):
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn_like(value))
        model(torch.randn(5, 3, dtype=torch.float64))
        averages.update(model, updates=n)
        decay = min(0.5, (1 + n) / (10 + n))
        assert decay < 0.5 or n >= 8  # the warm-up is seen, and so is its end
        for i, value in enumerate(model.state_dict().values()):
            own = value.double()
            expected[i] = decay * expected[i] + (1 - decay) * own if value.is_floating_point() else value.clone()
    for found, value in zip(averages.state.values(), expected, strict=True):
        assert torch.allclose(found, value, rtol=0, atol=1e-12)
    assert int(averages.state["1.num_batches_tracked"]) == 20
    assert not torch.allclose(averages.state["1.running_mean"], model.state_dict()["1.running_mean"])


def test_averages_stand_in_for_the_weights_for_a_while():
    model = small()
    averages = Averages(model, decay=0.9)
    with torch.no_grad():
        model[0].weight.mul_(2)
    own = {name: value.clone() for name, value in model.state_dict().items()}
    with averages.in_place_of(model):
        assert torch.equal(model[0].weight, averages.state["0.weight"])
        assert not torch.equal(model[0].weight, own["0.weight"])
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())
    with pytest.raises(ZeroDivisionError), averages.in_place_of(model):
        print(1 / 0)
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())


def test_averages_go_on_where_they_were():
    model, other = small(), small()
    averages, again = Averages(model, decay=0.9), Averages(other, decay=0.9)
    with torch.no_grad():
        model[0].weight.mul_(2)
    averages.update(model, updates=1)
    again.load(averages.state, source="a file")
    assert all(torch.equal(value, averages.state[name]) for name, value in again.state.items())
    assert again.state["0.weight"] is not averages.state["0.weight"]
    with pytest.raises(CheckpointError, match=r"a file: .*ema_decay"):
        again.load({}, source="a file")
