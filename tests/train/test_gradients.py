"""Names, rates and gradient norms of parameter groups."""

import math

import pytest
import torch
from torch import nn

from vidtok.train.gradients import gradient_norms, group_names, group_rates


def groups(*rows):
    return [
        {"params": [nn.Parameter(torch.zeros(2))], "weight_decay": decay, "lr_scale": factor, "new": new, "lr": 0.1}
        for decay, factor, new in rows
    ]


def test_names_tell_groups_apart():
    rows = [(0.0, 1.0, False), (0.1, 1.0, False), (0.1, 0.75, False), (0.1, 10.0, True), (0.1, 0.7500001, False)]
    assert group_names(groups(*rows)) == ["no_decay", "decay", "decay_x0.75", "decay_x10_new", "decay_x0.75_4"]


def test_groups_of_plain_torch_have_names_too():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    assert group_rates(optimizer) == {"no_decay": 0.5}


def test_norms_are_those_of_all_gradients_of_a_group():
    made = groups((0.0, 1.0, False), (0.1, 1.0, False), (0.1, 2.0, False))
    made[0]["params"] += [nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4))]
    generator = torch.Generator().manual_seed(0)
    for parameter in made[0]["params"][:2]:  # the third has no gradient
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    made[1]["params"][0].grad = torch.tensor([3.0, -4.0])
    expected = math.sqrt(sum(float(value) ** 2 for p in made[0]["params"][:2] for value in p.grad.flatten()))
    norms = gradient_norms(torch.optim.SGD(made))
    assert norms == {"no_decay": pytest.approx(expected, rel=1e-6), "decay": 5.0, "decay_x2": 0.0}
