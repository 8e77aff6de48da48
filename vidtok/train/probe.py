"""Linear probes on features of a frozen network: logistic regression, chosen over folds through one Gram matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.metrics import average_precision, to_scores

PENALTIES = (1.0, 0.1, 0.01, 0.001, 0.0001)
"""From the strongest to the weakest."""
TOLERANCE = 1e-7
CHOOSING_TOLERANCE = 1e-4
"""Largest gradient at which a fit ends, and one that only serves to choose between settings."""
STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Design:
    """Features as coordinates in which a linear layer is small: z = ((x - mean) / scale) basis.

    The features of the training rows have mean 0 and deviation 1 in each dimension that varies; their coordinates have
    a mean square length of 1, so that a penalty means the same for few features and for many.
    """

    mean: Float[Tensor, "d"]
    scale: Float[Tensor, "d"]
    basis: Float[Tensor, "d r"]

    @classmethod
    def of(cls, x: Float[Tensor, "n d"]) -> "Design":
        """The coordinates of these training rows, from the smaller one of their two Gram matrices."""
        mean, scale = x.mean(dim=0), x.std(dim=0, correction=0)
        scale = torch.where(scale > 1e-9 * scale.max().clamp(min=1e-300), scale, torch.ones_like(scale))
        standard = (x - mean) / scale
        rows, width = x.shape
        values, vectors = torch.linalg.eigh(standard @ standard.T if rows <= width else standard.T @ standard)
        kept = values > 1e-10 * values.max().clamp(min=1e-300)
        values, vectors = values[kept], vectors[:, kept]
        basis = standard.T @ vectors / values.sqrt() if rows <= width else vectors
        length = (values.sum() / rows).sqrt().clamp(min=1e-300)  # the root of the mean square length
        return cls(mean=mean, scale=scale, basis=basis / length)

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n r"]:
        return (x - self.mean) / self.scale @ self.basis


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Logits = x weight + bias."""

    weight: Float[Tensor, "d k"]
    bias: Float[Tensor, "k"]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return x @ self.weight + self.bias

    def behind(self, design: Design) -> "Linear":
        """The same layer for features as they are, before the design."""
        weight = design.basis @ self.weight / design.scale[:, None]
        return Linear(weight=weight, bias=self.bias - design.mean @ weight)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The features and the penalty that did best on inner folds, and how well: the figure, and the mean loss."""

    features: str
    penalty: float
    figure: float
    loss: float

    @property
    def worth(self) -> tuple[float, float, float]:
        """What is compared: of equal figures the smaller loss counts, and then the stronger penalty."""
        return self.figure, -self.loss, self.penalty


def fit_logistic(
    z: Float[Tensor, "n r"],
    targets: Float[Tensor, "n k"],
    *,
    penalty: float,
    kind: ScoreKind = "softmax",
    start: Linear | None = None,
    tolerance: float = TOLERANCE,
) -> Linear:
    """Minimise mean weighted loss + penalty / 2 · |weight|²; biases are free.

    Cross-entropy for softmax, where a video counts in inverse proportion to its class's frequency, so that rare classes
    are heard; the mean over classes of binary cross-entropy for sigmoid. By L-BFGS, in the precision of `z`.
    """
    weights = balance(targets) if kind == "softmax" else torch.ones(len(z), dtype=z.dtype)
    weight = (z.new_zeros(z.shape[1], targets.shape[1]) if start is None else start.weight.clone()).requires_grad_()
    bias = (z.new_zeros(targets.shape[1]) if start is None else start.bias.clone()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=STEPS,
        tolerance_grad=tolerance,
        tolerance_change=tolerance**2,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = (
            weights * losses_of(z @ weight + bias, targets, kind=kind)
        ).mean() + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return Linear(weight=weight.detach(), bias=bias.detach())


def losses_of(logits: Float[Tensor, "n k"], targets: Float[Tensor, "n k"], *, kind: ScoreKind) -> Float[Tensor, "n"]:
    """The loss of each row: cross-entropy, or the mean over classes of binary cross-entropy."""
    if kind == "softmax":
        return -(targets * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=-1)


def balance(targets: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
    """Weights with a mean of 1 by which every class that has videos counts the same."""
    counts = targets.sum(dim=0)
    shares = torch.where(counts > 0, 1 / counts.clamp(min=1e-300), torch.zeros_like(counts))
    weights = targets @ shares
    return weights / weights.mean()


def figure_of(logits: Float[Tensor, "n k"], targets: Float[Tensor, "n k"], *, kind: ScoreKind) -> float:
    """Top-1 accuracy, or mean average precision over the classes that have videos."""
    if kind == "softmax":
        return float((logits.argmax(dim=1) == targets.argmax(dim=1)).double().mean())
    labels = [tuple(row.nonzero().flatten().tolist()) for row in targets]
    return float(average_precision(to_scores(logits, kind=kind), labels).nanmean().nan_to_num(0))


def choose(
    designs: Mapping[str, Float[Tensor, "n r"]],
    targets: Float[Tensor, "n k"],
    folds: Sequence[int],
    *,
    kind: ScoreKind = "softmax",
) -> Choice:
    """Features and penalty with the best figure over these folds, each left out once; see `Choice.worth` for ties.

    On a small set many settings have the same accuracy, often all of it; the loss tells which of them has margins.
    """
    found = []
    parts = held_out(folds)
    for name, z in designs.items():
        logits = {penalty: torch.zeros_like(targets) for penalty in PENALTIES}
        for out in parts:
            layer = None
            for penalty in PENALTIES:
                layer = fit_logistic(
                    z[~out], targets[~out], penalty=penalty, kind=kind, start=layer, tolerance=CHOOSING_TOLERANCE
                )
                logits[penalty][out] = layer(z[out])
        for penalty in PENALTIES:
            left_out = logits[penalty]
            figure, loss = (
                figure_of(left_out, targets, kind=kind),
                float(losses_of(left_out, targets, kind=kind).mean()),
            )
            found.append(Choice(features=name, penalty=penalty, figure=figure, loss=loss))
    return max(found, key=lambda choice: choice.worth)


def fit_probe(
    features: Mapping[str, Float[Tensor, "n d"]],
    targets: Float[Tensor, "n k"],
    folds: Sequence[int],
    *,
    kind: ScoreKind = "softmax",
) -> tuple[Choice, Linear]:
    """The best probe of all these features by these folds, fitted to all rows, for features as they are."""
    designs = {name: Design.of(x) for name, x in features.items()}
    reduced = {name: design(features[name]) for name, design in designs.items()}
    choice = choose(reduced, targets, folds, kind=kind)
    layer = fit_logistic(reduced[choice.features], targets, penalty=choice.penalty, kind=kind)
    return choice, layer.behind(designs[choice.features])


def held_out(folds: Sequence[int]) -> list[Bool[Tensor, "n"]]:
    """For each fold which rows belong to it."""
    of = torch.tensor(folds, dtype=torch.int64)
    return [of == fold for fold in sorted(set(folds))]


def one_hot(labels: Sequence[tuple[int, ...]], classes: int) -> Float[Tensor, "n k"]:
    """Targets in double precision: 1 for each label that a video has."""
    targets = torch.zeros(len(labels), classes, dtype=torch.float64)
    for row, own in enumerate(labels):
        targets[row, list(own)] = 1.0
    return targets
