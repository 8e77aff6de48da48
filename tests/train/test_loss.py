"""The loss follows its formulas, for targets of any kind."""

import math

import pytest
import torch

from vidtok.train.loss import ClassLoss

LOGITS = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]
MIXED = [[0.7, 0.0, 0.3], [0.25, 0.75, 0.0]]


def softmax_loss(logits, targets, smoothing):
    """Plain loops."""
    loss = 0.0
    for row, own in zip(logits, targets, strict=True):
        total = sum(math.exp(value) for value in row)
        for value, target in zip(row, own, strict=True):
            smoothed = (1 - smoothing) * target + smoothing / len(row)
            loss -= smoothed * math.log(math.exp(value) / total)
    return loss


def sigmoid_loss(logits, targets, over_classes):
    loss = 0.0
    for row, own in zip(logits, targets, strict=True):
        for value, target in zip(row, own, strict=True):
            score = 1 / (1 + math.exp(-value))
            each = -target * math.log(score) - (1 - target) * math.log(1 - score)
            loss += each / len(row) if over_classes == "mean" else each
    return loss


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("targets", [[[0, 0, 1], [1, 0, 0]], MIXED])
def test_cross_entropy_follows_its_formula(smoothing, targets):
    loss = ClassLoss(classes=3, label_smoothing=smoothing)
    found = loss(torch.tensor(LOGITS, dtype=torch.float64), torch.tensor(targets, dtype=torch.float32))
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(softmax_loss(LOGITS, torch.tensor(targets).double().tolist(), smoothing))


@pytest.mark.parametrize("over_classes", ["mean", "sum"])
@pytest.mark.parametrize("targets", [[[1, 0, 1], [0, 1, 0]], MIXED])
def test_binary_cross_entropy_follows_its_formula(over_classes, targets):
    loss = ClassLoss(classes=3, kind="sigmoid", over_classes=over_classes)
    found = loss(torch.tensor(LOGITS), torch.tensor(targets, dtype=torch.float32))
    assert float(found) == pytest.approx(sigmoid_loss(LOGITS, targets, over_classes), rel=1e-6)


def test_targets_are_one_for_each_label():
    loss = ClassLoss(classes=3, kind="sigmoid")
    assert loss.targets([(2, 0), (), (1,)], device="cpu").tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_loss_of_nothing_is_zero_and_has_a_gradient(kind):
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = ClassLoss(classes=3, kind=kind)
    found = loss(logits, loss.targets([], device="cpu"))
    found.backward()
    assert found.item() == 0.0


@pytest.mark.parametrize("settings", [{}, {"kind": "sigmoid"}, {"kind": "sigmoid", "over_classes": "sum"}])
def test_the_loss_of_chance_is_that_of_equal_scores(settings):
    loss = ClassLoss(classes=5, **settings)
    assert loss.of_chance == pytest.approx(float(loss(torch.zeros(1, 5), loss.targets([(3,)], device="cpu"))))


def test_half_precision_logits_are_measured_in_float32():
    loss = ClassLoss(classes=3)
    logits = torch.tensor(LOGITS).bfloat16()
    targets = loss.targets([(0,), (1,)], device="cpu")
    assert torch.equal(loss(logits, targets), loss(logits.float(), targets))
