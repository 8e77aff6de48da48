"""Whether two models differ by more than chance, on the same videos."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch

from vidtok.infer.bootstrap import DRAWS, Statistic, draw, interval


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The second figure less the first one, its interval, and how probable one so large is where there is none."""

    value: float
    low: float | None
    high: float | None
    p: float


def mcnemar(first_alone: int, second_alone: int) -> float:
    """The exact two-sided test of McNemar: of the videos that one of two models alone gets right, half are each one's.

    p = min(1, 2 Σ_{i ≤ min(b, c)} C(b + c, i) / 2^(b + c))
    """
    n, least = first_alone + second_alone, min(first_alone, second_alone)
    ways = tail = 1
    for i in range(least):
        ways = ways * (n - i) // (i + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**n)


def paired_bootstrap(
    first: Statistic, second: Statistic, groups: Sequence[Hashable], *, draws: int = DRAWS, seed: int = 0
) -> Difference:
    """The difference of two figures, both of which see the same draws of the groups.

    p is twice the smaller share of the draws that lie on either side of 0, with what was found as one of them, so that
    p is never below 2 / (draws + 1).
    """
    one = torch.ones(1, len(groups), dtype=torch.float64)
    value = float(second(one)[0] - first(one)[0])
    drawn = draw(lambda weights: second(weights) - first(weights), groups, draws=draws, seed=seed)
    low, high = interval(value, drawn, units=len(set(groups)))
    known = drawn[drawn.isfinite()]
    sides = [int((known <= 0).sum()), int((known >= 0).sum())]
    return Difference(value=value, low=low, high=high, p=min(1.0, 2 * (min(sides) + 1) / (len(known) + 1)))
