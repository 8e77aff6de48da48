"""Optimizers by name, schedules that follow their formulas, a rate that follows the batch."""

import math

import pytest
import torch
from torch import nn

from vidtok.errors import ConfigError
from vidtok.train.optim import make_optimizer, make_schedule, scaled_rate


def groups(*scales):
    return [{"params": [nn.Parameter(torch.ones(2))], "lr_scale": scale, "weight_decay": 0.0} for scale in scales]


def rates(steps, *scales, kind="cosine", **settings):
    """The rates of every step, one column for each group."""
    optimizer = make_optimizer(groups(*(scales or (1.0,))), lr=2.0)
    schedule = make_schedule(optimizer, kind=kind, lr=2.0, steps=steps, **settings)
    found = []
    for step in range(steps):
        schedule.step_update(step)
        found.append([group["lr"] for group in optimizer.param_groups])
    return [list(column) for column in zip(*found, strict=True)]


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
    (found,) = rates(100, warmup_steps=10, min_lr=0.5)
    assert found[:10] == pytest.approx([0.2 + 0.18 * step for step in range(10)])
    for step in range(10, 100):
        assert found[step] == pytest.approx(0.5 + 0.75 * (1 + math.cos(math.pi * step / 100)))


def test_the_rate_falls_in_a_line_from_the_end_of_the_warm_up():
    (found,) = rates(100, kind="linear", warmup_steps=20, min_lr=0.4)
    assert found[:20] == pytest.approx([0.1 + 0.095 * step for step in range(20)])
    assert found[20:] == pytest.approx([0.4 + 1.6 * (1 - (step - 20) / 80) for step in range(20, 100)])


def test_the_rate_falls_to_a_tenth_at_each_step():
    (found,) = rates(40, kind="step", warmup_steps=4, lr_steps=(10, 30))
    assert found[:4] == pytest.approx([0.5 + 0.375 * step for step in range(4)])
    assert found[4:] == pytest.approx([2.0] * 6 + [0.2] * 20 + [0.02] * 10)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_the_rate_without_warm_up_starts_at_its_height(kind):
    assert rates(10, kind=kind)[0][0] == 2.0


def test_groups_have_their_share_of_the_rate():
    whole, half, ten = rates(30, 1.0, 0.5, 10.0, warmup_steps=5)
    assert half == pytest.approx([rate / 2 for rate in whole])
    assert ten == pytest.approx([rate * 10 for rate in whole])


def test_the_rate_follows_the_batch():
    assert scaled_rate(5e-4, batch=1024, lr_batch=512) == pytest.approx(1e-3)
    assert scaled_rate(5e-4, batch=1024, lr_batch=None) == 5e-4


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("adamw", {}, (torch.optim.AdamW, {"betas": (0.9, 0.999)})),
        ("adamw", {"betas": (0.8, 0.9)}, (torch.optim.AdamW, {"betas": (0.8, 0.9)})),
        ("momentum", {}, (torch.optim.SGD, {"momentum": 0.9, "nesterov": False})),
        ("sgd", {"momentum": 0.5}, (torch.optim.SGD, {"momentum": 0.5, "nesterov": True})),
    ],
)
def test_optimizers_by_name(name, settings, expected):
    optimizer = make_optimizer(groups(1.0), name=name, lr=0.1, **settings)
    assert type(optimizer) is expected[0]
    for key, value in expected[1].items():
        assert optimizer.param_groups[0][key] == value


def test_momentum_follows_its_formula():
    (group,) = groups(1.0)
    weight, optimizer = group["params"][0], make_optimizer([group], name="momentum", lr=0.1, momentum=0.9)
    velocity, expected = 0.0, 1.0
    for gradient in (1.0, -2.0, 0.5):
        weight.grad = torch.full((2,), gradient)
        optimizer.step()
        velocity = 0.9 * velocity + gradient
        expected -= 0.1 * velocity
    assert weight.tolist() == pytest.approx([expected] * 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "adamww"}, "`optimizer`=adamww: timm has no such optimizer"),
        ({"name": "momentum", "betas": (0.9, 0.9)}, "`betas`=.*: momentum has no betas; leave it out"),
        ({"name": "adamw", "momentum": 0.9}, "`momentum`=0.9: adamw has no momentum; leave it out"),
    ],
)
def test_what_an_optimizer_does_not_have_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_optimizer(groups(1.0), lr=0.1, **settings)


@pytest.mark.parametrize("name", ["adam", "adamw", "momentum", "sgd"])
def test_fused_optimizers_follow_the_plain_ones(name):
    ends = []
    for fused in (True, False):
        weight = nn.Parameter(torch.linspace(-1.0, 1.0, 50, dtype=torch.float64))
        optimizer = make_optimizer([{"params": [weight], "weight_decay": 0.1}], name=name, lr=0.1)
        assert optimizer.param_groups[0]["fused"]
        optimizer.param_groups[0]["fused"] = fused
        for _ in range(5):
            weight.grad = weight.detach().sin()
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends, rtol=0, atol=1e-12)
    assert ends[0].abs().max() < 0.99


@pytest.mark.parametrize("name", ["adagrad", "lamb"])
def test_optimizers_without_a_kernel_for_every_device_are_not_fused(name):
    assert not make_optimizer(groups(1.0), name=name, lr=0.1).param_groups[0].get("fused")


@pytest.mark.gpu
def test_optimizers_are_fused_on_a_gpu():
    group = {"params": [nn.Parameter(torch.ones(2, device="cuda"))], "lr_scale": 1.0}
    assert make_optimizer([group], lr=0.1).defaults["fused"]
