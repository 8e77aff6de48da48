"""Figures of merit."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


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


def confusion(predicted: Int64[Tensor, "n"], labels: Int64[Tensor, "n"], *, classes: int) -> Int64[Tensor, "k k"]:
    """How often each class (row) was taken for each class (column)."""
    return torch.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
