"""From logits to scores, and figures of merit."""

from collections.abc import Sequence

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
    Charades. Scripts that go back to Charades' own one rank rows without a label last (lists of vidtok have none), and
    rows of equal scores by their order. A score that is NaN stands below all others.
    """
    n, classes = scores.shape
    known = scores.double().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    hot = multi_hot(labels, classes=classes)
    rows = torch.arange(1, n + 1)
    precisions = torch.empty(classes, dtype=torch.float64)
    for k in range(classes):  # one after the other, since 50,000 pictures of 1,000 classes would fill the memory
        ranked, order = known[:, k].sort(descending=True)
        is_threshold = torch.ones(n, dtype=torch.bool)
        is_threshold[:-1] = ranked[:-1] != ranked[1:]
        found = hot[order, k].double().cumsum(0)[is_threshold]
        gained = found.diff(prepend=found.new_zeros(1))
        precisions[k] = (gained * found / rows[is_threshold]).sum() / hot[:, k].sum()
    return precisions


def confusion(predicted: Int64[Tensor, "n"], labels: Int64[Tensor, "n"], *, classes: int) -> Int64[Tensor, "k k"]:
    """How often each class (row) was taken for each class (column)."""
    return torch.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
