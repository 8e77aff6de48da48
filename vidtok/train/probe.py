"""Linear probes on features of a frozen network: logistic regressions, chosen over folds through one Gram matrix."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.metrics import average_precision, to_scores
from vidtok.train.logistic import CHOOSING_TOLERANCE, balance, fit_logistics, losses_of

PENALTIES = (1.0, 0.1, 0.01, 0.001, 0.0001)
"""From the strongest to the weakest."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Coordinates of rows of features in which a linear layer is small: at most as many as there are rows.

    The features of these rows have mean 0 and deviation 1 in each dimension that varies, then every part, of however
    many dimensions, counts the same; their coordinates `z` are those along the axes of that, with a mean square length
    of 1, so that a penalty means the same for few features and for many.
    """

    x: Float[Tensor, "n d"]
    mean: Float[Tensor, "d"]
    scale: Float[Tensor, "d"]
    values: Float[Tensor, "r"]
    """Eigenvalues of the Gram matrix of the standardised features."""
    z: Float[Tensor, "n r"]

    @classmethod
    def of(cls, *parts: Float[Tensor, "n _"]) -> "Design":
        """The coordinates of these rows, whose features are these parts side by side.

        From the smaller one of their two Gram matrices.
        """
        x, scale = torch.cat(parts, dim=1), torch.cat([deviations(part) for part in parts])
        mean = x.mean(dim=0)
        standard = (x - mean) / scale
        rows, width = x.shape
        values, vectors = torch.linalg.eigh(standard @ standard.T if rows <= width else standard.T @ standard)
        kept = values > 1e-10 * values.max().clamp(min=1e-300)
        values, vectors = values[kept], vectors[:, kept]
        length = (values.sum() / rows).sqrt().clamp(min=1e-300)  # the root of the mean square length
        z = (vectors * values.sqrt() if rows <= width else standard @ vectors) / length
        return cls(x=x, mean=mean, scale=scale, values=values, z=z)

    def layer(self, own: "Linear") -> "Linear":
        """A layer on the coordinates as one on features as they are."""
        standard = (self.x - self.mean) / self.scale
        weight = standard.T @ (self.z @ (own.weight / self.values[:, None])) / self.scale[:, None]
        return Linear(weight=weight, bias=own.bias - self.mean @ weight)


def deviations(part: Float[Tensor, "n d"]) -> Float[Tensor, "d"]:
    """What to divide each dimension by, so that the rows have a mean square length of 1; what does not vary is kept."""
    scale = part.std(dim=0, correction=0)
    varies = scale > 1e-9 * scale.max().clamp(min=1e-300)
    return torch.where(varies, scale * varies.sum().sqrt(), torch.ones_like(scale))


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Logits = x weight + bias."""

    weight: Float[Tensor, "d k"]
    bias: Float[Tensor, "k"]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return x @ self.weight + self.bias


USUAL, NEARLY = "time_maps", 0.5
"""What is taken where the inner folds cannot tell, if it is among what is chosen from: all that `vidtok fit` keeps of a
clip's pictures, and nothing that is there for the order of frames alone. Luck among eight summaries costs more."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The features and the penalty that did best on inner folds, and how well: the figure, and the mean loss.

    Both are means over the divisions into inner folds.
    """

    features: str
    penalty: float
    figure: float
    loss: float

    @property
    def worth(self) -> tuple[float, float, float]:
        """What is compared: of equal figures the smaller loss counts, and then the stronger penalty."""
        return self.figure, -self.loss, self.penalty


def fit_logistic(
    z: Float[Tensor, "n r"], targets: Float[Tensor, "n k"], *, penalty: float, kind: ScoreKind = "softmax"
) -> Linear:
    """Minimise mean weighted loss + penalty / 2 · |weight|²; biases are free.

    Cross-entropy for softmax, where a video counts in inverse proportion to its class's frequency, so that rare classes
    are heard; the mean over classes of binary cross-entropy for sigmoid.
    """
    rows = torch.ones(1, len(z), dtype=torch.bool)
    fits = fit_logistics(
        z, targets, weights=row_weights(targets, rows, kind=kind), penalties=z.new_tensor([penalty]), kind=kind
    )
    return Linear(weight=fits.weight[0], bias=fits.bias[0])


def row_weights(targets: Float[Tensor, "n k"], rows: Bool[Tensor, "b n"], *, kind: ScoreKind) -> Float[Tensor, "b n"]:
    """What each row counts in a mean over these rows: nothing elsewhere, and for softmax every class the same."""
    weights = torch.zeros(rows.shape, dtype=targets.dtype)
    for own, taken in zip(weights, rows, strict=True):
        own[taken] = (balance(targets[taken]) if kind == "softmax" else 1.0) / taken.sum()
    return weights


def figure_of(logits: Float[Tensor, "n k"], targets: Float[Tensor, "n k"], *, kind: ScoreKind) -> float:
    """Top-1 accuracy, or mean average precision over the classes that have videos."""
    if kind == "softmax":
        return float((logits.argmax(dim=1) == targets.argmax(dim=1)).double().mean())
    labels = [tuple(row.nonzero().flatten().tolist()) for row in targets]
    return float(average_precision(to_scores(logits, kind=kind), labels).nanmean().nan_to_num(0))


def choose(
    designs: Mapping[str, Float[Tensor, "n r"]],
    targets: Float[Tensor, "n k"],
    divisions: Sequence[Sequence[int]],
    *,
    kind: ScoreKind = "softmax",
) -> Choice:
    """Features and penalty with the best mean figure over these divisions into folds, each fold left out once.

    Which of many settings is best on one division is luck for the most part: their figures differ by less than one
    figure of a small set by another division. Of equal figures see `Choice.worth`: on a small set many settings have
    the same accuracy, often all of it; the loss tells which of them has margins. Where the best is not better than
    USUAL by NEARLY standard errors of such a figure, as if rows were independent, USUAL is taken, at its best penalty.
    """
    parts = [(number, part) for number, folds in enumerate(divisions) for part in held_out(folds)]
    taken = ~torch.stack([part for _, part in parts])
    weights = row_weights(targets, taken, kind=kind).repeat_interleave(len(PENALTIES), dim=0)
    penalties = targets.new_tensor(PENALTIES).repeat(len(parts))
    found = []
    for name, z in designs.items():
        fits = fit_logistics(z, targets, weights=weights, penalties=penalties, kind=kind, tolerance=CHOOSING_TOLERANCE)
        left_out = targets.new_zeros(len(PENALTIES), len(divisions), *targets.shape)
        for (number, part), own in zip(parts, fits.split(len(PENALTIES)), strict=True):
            left_out[:, number, part] = own(z[part])
        for penalty, logits in zip(PENALTIES, left_out, strict=True):
            figure = statistics.fmean(figure_of(each, targets, kind=kind) for each in logits)
            loss = float(losses_of(logits, targets, kind=kind).mean())
            found.append(Choice(features=name, penalty=penalty, figure=figure, loss=loss))
    best = max(found, key=lambda choice: choice.worth)
    usual = max((each for each in found if each.features == USUAL), key=lambda choice: choice.worth, default=best)
    error = math.sqrt(best.figure * (1 - best.figure) / len(targets))
    return usual if best.figure - usual.figure < NEARLY * error else best


def fit_probe(
    features: Mapping[str, Float[Tensor, "n _"]],
    targets: Float[Tensor, "n k"],
    divisions: Sequence[Sequence[int]],
    *,
    kind: ScoreKind = "softmax",
    among: Sequence[str] | None = None,
) -> tuple[Choice, Linear]:
    """The best probe by these divisions into folds, see `choose`, fitted to all rows, for features as they are.

    `among`: what is chosen from, features and unions of them, see `parts_of`; by default each of the features.
    """
    designs = {name: Design.of(*parts_of(features, name)) for name in (features if among is None else among)}
    choice = choose({name: design.z for name, design in designs.items()}, targets, divisions, kind=kind)
    best = designs[choice.features]
    return choice, best.layer(fit_logistic(best.z, targets, penalty=choice.penalty, kind=kind))


def parts_of(features: Mapping[str, Float[Tensor, "n _"]], name: str) -> list[Float[Tensor, "n _"]]:
    """The features of this name, or those whose names it lists with _ between."""
    return [features[part] for part in ([name] if name in features else name.split("_"))]


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
