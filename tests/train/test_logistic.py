"""Batched logistic regressions: each is the optimum that the plain way finds, alone or in company."""

import pytest
import torch

from vidtok.train import logistic
from vidtok.train.logistic import Fits, balance, fit_logistics, losses_of
from vidtok.train.probe import one_hot

PENALTIES = (1.0, 0.01, 1e-4)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def problems(kind: str, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of 30 rows in 12 coordinates, two divisions at three penalties; with sigmoid a row has no label, one has two."""
    z, targets = noise(30, 12) * scale, one_hot([(k % 3,) for k in range(30)], 3)
    if kind == "sigmoid":
        targets[0], targets[1] = 0.0, targets[1] + targets[2]
    weights = torch.zeros(6, 30, dtype=torch.float64)
    weights[:3, :20], weights[3:, 8:] = 1 / 20, noise(22, seed=1).abs() / 22
    return z, targets, weights, torch.tensor(PENALTIES * 2, dtype=torch.float64)


def plainly(z, targets, weights, penalty, *, kind) -> torch.Tensor:
    """Probabilities by torch's own L-BFGS on one problem, with torch's own losses."""
    weight = torch.zeros(z.shape[1], targets.shape[1], dtype=z.dtype, requires_grad=True)
    bias = torch.zeros(targets.shape[1], dtype=z.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=3000, tolerance_grad=1e-10, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        logits = z @ weight + bias
        if kind == "softmax":
            losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        else:
            losses = torch.nn.functional.binary_cross_entropy(logits.sigmoid(), targets, reduction="none").mean(1)
        value = (weights * losses).sum() + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(closure)
    logits = (z @ weight + bias).detach()
    return logits.softmax(1) if kind == "softmax" else logits.sigmoid()


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_every_problem_of_a_batch_has_the_optimum_of_the_plain_way(kind):
    z, targets, weights, penalties = problems(kind)
    logits = fit_logistics(z, targets, weights=weights, penalties=penalties, kind=kind)(z)
    found = logits.softmax(-1) if kind == "softmax" else logits.sigmoid()
    for own, row, penalty in zip(found, weights, penalties.tolist(), strict=True):
        torch.testing.assert_close(own, plainly(z, targets, row, penalty, kind=kind), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_no_slope_is_left_whatever_the_scale(kind, scale):
    """Small coordinates, and large ones, in which the classes of these few rows come apart."""
    z, targets, weights, penalties = problems(kind, scale)
    fits = fit_logistics(z, targets, weights=weights, penalties=penalties, kind=kind)
    weight, bias = fits.weight.clone().requires_grad_(), fits.bias.clone().requires_grad_()
    losses = losses_of(Fits(weight=weight, bias=bias)(z), targets, kind=kind)
    value = (weights * losses).sum() + (penalties[:, None, None] / 2 * weight.square()).sum()
    for slope in torch.autograd.grad(value, (weight, bias)):
        assert float(slope.abs().max()) < 2 * logistic.TOLERANCE


def test_rows_without_weight_are_not_looked_at():
    z, targets, weights, penalties = problems("softmax")
    other, changed = z.clone(), targets.clone()
    other[20:], changed[20:] = 7.0, one_hot([(0,)] * 10, 3)
    before = fit_logistics(z, targets, weights=weights[:3], penalties=penalties[:3])
    after = fit_logistics(other, changed, weights=weights[:3], penalties=penalties[:3])
    torch.testing.assert_close(after.weight, before.weight, rtol=0, atol=1e-12)


def test_many_problems_come_in_several_passes(monkeypatch):
    z, targets, weights, penalties = problems("softmax")
    whole = fit_logistics(z, targets, weights=weights, penalties=penalties)
    passes, solve = [], logistic._Problem.solve
    monkeypatch.setattr(logistic, "LARGEST", 4 * 3 * (30 + 24 * 13))
    monkeypatch.setattr(
        logistic._Problem,
        "solve",
        lambda self, w, p, tolerance: passes.append(len(p)) or solve(self, w, p, tolerance=tolerance),
    )
    parts = fit_logistics(z, targets, weights=weights, penalties=penalties)
    assert passes == [4, 2]
    torch.testing.assert_close(parts.weight, whole.weight, rtol=0, atol=1e-8)
    torch.testing.assert_close(parts.bias, whole.bias, rtol=0, atol=1e-8)


def test_losses_are_those_of_torch():
    logits, targets = noise(5, 3) * 40, one_hot([(k % 3,) for k in range(5)], 3)
    own = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses_of(logits, targets, kind="softmax"), own)
    own = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
    torch.testing.assert_close(losses_of(logits, targets, kind="sigmoid"), own)


def test_rare_classes_weigh_more():
    weights = balance(one_hot([(0,)] * 6 + [(1,)] * 2, 2))
    assert float(weights[0]) * 6 == pytest.approx(float(weights[-1]) * 2)
    assert float(weights.mean()) == pytest.approx(1.0)
