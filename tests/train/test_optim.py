"""Groups that are a partition, a schedule that follows its formula, a loss that follows its formula."""

import math

import pytest
import torch

from vidtok.models.vivit import ViViT
from vidtok.train.optim import class_loss, make_optimizer, make_schedule


def small():
    return ViViT(classes=3, frames=4, size=16, tubelet=(2, 8, 8), width=16, depth=2, heads=2, pool="cls")


def test_every_parameter_is_in_one_group():
    model = small()
    optimizer = make_optimizer(model, lr=1.0, betas=(0.9, 0.99), weight_decay=0.1)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        spared = parameter.dim() < 2 or "position" in name or "class_token" in name
        assert decay[id(parameter)] == (0.0 if spared else 0.1), name
    assert all(group["betas"] == (0.9, 0.99) for group in optimizer.param_groups)


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
    optimizer = make_optimizer(small(), lr=2.0, betas=(0.9, 0.999), weight_decay=0.0)
    schedule = make_schedule(optimizer, lr=2.0, steps=100, warmup_steps=10)
    rates = []
    for step in range(100):
        schedule.step_update(step)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:10] == pytest.approx([0.2 + 0.18 * step for step in range(10)])
    for step in range(10, 100):
        assert rates[step] == pytest.approx(1 + math.cos(math.pi * step / 100))


def test_the_rate_without_warm_up_starts_at_its_height():
    optimizer = make_optimizer(small(), lr=2.0, betas=(0.9, 0.999), weight_decay=0.0)
    make_schedule(optimizer, lr=2.0, steps=10, warmup_steps=0).step_update(0)
    assert optimizer.param_groups[0]["lr"] == 2.0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_follows_its_formula(smoothing):
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64).float()
    expected = 0.0
    for row, label in zip(logits.double().tolist(), (2, 0), strict=True):
        total = sum(math.exp(value) for value in row)
        for k, value in enumerate(row):
            target = (1 - smoothing) * (k == label) + smoothing / 3
            expected -= target * math.log(math.exp(value) / total)
    loss = class_loss(logits, [(2,), (0,)], kind="softmax", label_smoothing=smoothing)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_the_loss_of_several_labels_follows_its_formula():
    logits, labels = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]), [(2, 0), (1,)]
    expected = 0.0
    for row, own in zip(logits.tolist(), labels, strict=True):
        for k, value in enumerate(row):
            score = 1 / (1 + math.exp(-value))
            expected -= math.log(score if k in own else 1 - score) / 3
    loss = class_loss(logits, labels, kind="sigmoid", label_smoothing=0.0)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_loss_of_nothing_is_zero_and_has_a_gradient(kind):
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = class_loss(logits, [], kind=kind, label_smoothing=0.0)
    loss.backward()
    assert loss.item() == 0.0
