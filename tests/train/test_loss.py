"""The loss follows its formulas, for targets of any kind."""

import math

import pytest
import torch

from vidtok.train.loss import ClassLoss, balanced_weights

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


WEIGHTS = (0.5, 2.0, 3.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weights_multiply_the_terms_of_their_classes(smoothing):
    # Rows and classes told apart: the loss of one class alone is its term times its weight.
    logits, targets = torch.tensor(LOGITS, dtype=torch.float64), torch.tensor(MIXED, dtype=torch.float64)
    expected = 0.0
    for row, own in zip(LOGITS, MIXED, strict=True):
        total = sum(math.exp(value) for value in row)
        for value, target, weight in zip(row, own, WEIGHTS, strict=True):
            expected -= weight * ((1 - smoothing) * target + smoothing / 3) * math.log(math.exp(value) / total)
    loss = ClassLoss(classes=3, label_smoothing=smoothing, weights=WEIGHTS)
    assert loss(logits, targets).item() == pytest.approx(expected, rel=1e-6)
    parts = sum(loss(logits[row : row + 1], targets[row : row + 1]).item() for row in range(2))
    assert parts == pytest.approx(expected, rel=1e-6)  # a clip counts the same in any batch


def test_weights_multiply_those_who_have_the_class():
    logits, targets = torch.tensor(LOGITS, dtype=torch.float64), torch.tensor([[1, 0, 1], [0, 1, 0.0]])
    expected = 0.0
    for row, own in zip(LOGITS, targets.tolist(), strict=True):
        for value, target, weight in zip(row, own, WEIGHTS, strict=True):
            score = 1 / (1 + math.exp(-value))
            expected -= weight * target * math.log(score) + (1 - target) * math.log(1 - score)
    found = ClassLoss(classes=3, kind="sigmoid", over_classes="sum", weights=WEIGHTS)(logits, targets)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert ClassLoss(classes=3, kind="sigmoid", weights=WEIGHTS)(logits, targets).item() == pytest.approx(
        expected / 3, rel=1e-6
    )


def test_balanced_weights_give_every_class_the_same_share():
    counts = [1, 3, 0, 12]
    weights = balanced_weights(counts, videos=16, kind="softmax")
    shares = [count * weight for count, weight in zip(counts, weights, strict=True)]
    assert shares == pytest.approx([16 / 3, 16 / 3, 0, 16 / 3])
    assert weights[2] == 1.0
    weights = balanced_weights(counts, videos=16, kind="sigmoid")
    assert weights == pytest.approx((15, 13 / 3, 1, 4 / 12))


@pytest.mark.parametrize("weights", [(1.0, 2.0), (1.0, 2.0, -1.0), (1.0, 2.0, math.inf), (1.0, 2.0, math.nan)])
def test_weights_are_one_for_each_class(weights):
    with pytest.raises(ValueError, match="3 classes need as many weights"):
        ClassLoss(classes=3, weights=weights)


def test_chance_rises_with_the_weights():
    assert ClassLoss(classes=4, weights=(1.0, 1.0, 2.0, 8.0)).of_chance == pytest.approx(3 * math.log(4))
    assert ClassLoss(classes=4, weights=(0.1,) * 4).of_chance == pytest.approx(math.log(4))
    assert ClassLoss(classes=4, kind="sigmoid", weights=(3.0,) * 4).of_chance == pytest.approx(3 * math.log(2))
