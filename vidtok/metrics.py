"""From logits to scores, and figures of merit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from vidtok.choices import ScoreKind


def to_scores(logits: Float[Tensor, "*b k"], *, kind: ScoreKind) -> Float[Tensor, "*b k"]:
    """softmax: classes exclude each other, a row sums to 1. sigmoid: each class by itself."""
    return logits.softmax(-1) if kind == "softmax" else logits.sigmoid()


def multi_hot(labels: Sequence[tuple[int, ...]], *, classes: int) -> Bool[Tensor, "n k"]:
    """Which classes each row has."""
    hot = torch.zeros(len(labels), classes, dtype=torch.bool)
    for row, own in enumerate(labels):
        hot[row, list(own)] = True
    return hot


def top_k_hits(scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], *, k: int) -> Bool[Tensor, "n"]:
    """Whether one of a row's labels is among its `k` highest scores.

    Equal scores count against us (a row of equal scores hits nothing unless k covers it), so that a constant output
    does not look better than it is.
    """
    if k > scores.shape[1]:
        raise ValueError(f"top-{k} needs at least {k} classes, there are {scores.shape[1]}")
    hits = torch.zeros(len(scores), dtype=torch.bool)
    for row, own in enumerate(labels):
        for label in own:
            mine = scores[row, label]
            above = int((scores[row] >= mine).sum()) - 1
            hits[row] |= bool(above < k) and bool(mine.isfinite())
    return hits


def average_precision(scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]]) -> Float64[Tensor, "k"]:
    """The average precision of each class over all rows; NaN for a class that no row has.

        AP = Σ_i (R_i − R_{i−1}) P_i       over the thresholds i: the distinct scores of the class, the highest first

    with recall R_i and precision P_i of the rows that score at least as high, so that the order of rows with equal
    scores does not matter. This is scikit-learn's definition, without interpolation, by which PySlowFast measures
    Charades. A score that is NaN stands below all others.
    """
    hot = multi_hot(labels, classes=scores.shape[1])
    return weighted_precisions(scores, hot, torch.ones(1, len(scores), dtype=torch.float64))[0]


def charades_precision(scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]]) -> Float64[Tensor, "k"]:
    """The average precision of each class as Charades' own script has it (Charades_v1_classify, `charades_map`).

    Rows without any label stand below all others, whatever their scores, and equal scores stand in the order of the
    list, each with a threshold of its own. NaN for a class that no row has, which the script's mean does not allow for.
    """
    hot = multi_hot(labels, classes=scores.shape[1])
    return weighted_precisions(sunk(scores, hot), hot, torch.ones(1, len(scores), dtype=torch.float64), ties=False)[0]


def sunk(scores: Float[Tensor, "n k"], hot: Bool[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """The scores, with those of rows that have no label below all others."""
    return scores.masked_fill(~hot.any(dim=1, keepdim=True), -torch.inf)


def weighted_precisions(
    scores: Float[Tensor, "n k"], hot: Bool[Tensor, "n k"], weights: Float64[Tensor, "d n"], *, ties: bool = True
) -> Float64[Tensor, "d k"]:
    """Average precision where row i is there `weights[·, i]` times; `ties`: equal scores have one threshold in common.

    The copies of a row have one in any case. NaN for a class of which no row is there.
    """
    known = scores.double().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    n, classes = known.shape
    precisions = torch.empty(len(weights), classes, dtype=torch.float64)
    for k in range(classes):  # one after the other, since 50,000 pictures of 1,000 classes would fill the memory
        ranked, order = known[:, k].sort(descending=True, stable=True)
        is_threshold = torch.ones(n, dtype=torch.bool)
        if ties:
            is_threshold[:-1] = ranked[:-1] != ranked[1:]
        own = weights[:, order]
        found = (own * hot[order, k]).cumsum(1)[:, is_threshold]
        seen = own.cumsum(1)[:, is_threshold].clamp(min=1e-300)  # nothing is found where nothing was seen
        gained = found.diff(dim=1, prepend=found.new_zeros(len(found), 1))
        precisions[:, k] = (gained * found / seen).sum(1) / gained.sum(1)
    return precisions


def taken_for(scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]]) -> Int64[Tensor, "n"]:
    """The class that each row is taken for: the one of its highest score; scores that are NaN stand below all others.

    Of equal highest scores one that is not the row's own class, so that they count against us as in `top_k_hits`.
    """
    known = scores.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    highest = known == known.max(dim=1, keepdim=True).values
    others = highest & ~multi_hot(labels, classes=scores.shape[1])
    return torch.where(others.any(dim=1, keepdim=True), others, highest).int().argmax(dim=1)


def confusion(predicted: Int64[Tensor, "n"], labels: Int64[Tensor, "n"], *, classes: int) -> Int64[Tensor, "k k"]:
    """How often each class (row) was taken for each class (column)."""
    return torch.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The answers whose confidence lies in (low, high]: how many, their mean confidence, and how many are right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(confidence: Float[Tensor, "n"], right: Bool[Tensor, "n"], *, bins: int = 15) -> tuple[Bin, ...]:
    """Answers by their confidence, in `bins` equal parts of 0 to 1; those without an answer are left out."""
    known = confidence.double()
    place = (known * bins).ceil().long().clamp(min=1, max=bins) - 1
    n = torch.bincount(place, minlength=bins)
    sums = torch.bincount(place, weights=known, minlength=bins)
    hits = torch.bincount(place, weights=right.double(), minlength=bins)
    return tuple(
        Bin(low=i / bins, high=(i + 1) / bins, n=count, confidence=total / count, accuracy=good / count)
        for i, (count, total, good) in enumerate(zip(n.tolist(), sums.tolist(), hits.tolist(), strict=True))
        if count
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error, Σ n_b / n |accuracy_b - confidence_b| (Guo et al., arXiv 1706.04599, eq. 5)."""
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n if n else float("nan")


def score_interval(share: float, *, count: float, reach: float) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of `count` cases, `reach` standard errors to either side.

    All q with |share - q| ≤ reach √(q (1 - q) / count). It stays within 0 and 1, and has a width where all cases or
    none are counted, of which the share's own standard error, √(share (1 - share) / count), says nothing.
    """
    more = reach**2 / count
    centre = (share + more / 2) / (1 + more)
    half = sqrt(more) * sqrt(share * (1 - share) + more / 4) / (1 + more)
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)
