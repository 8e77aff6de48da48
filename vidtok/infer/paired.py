"""Whether two models differ by more than chance, on the same videos."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float64
from torch import Tensor

from vidtok.infer.bootstrap import DRAWS, Smoothed, Statistic, draw, interval


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
    first: Statistic,
    second: Statistic,
    groups: Sequence[Hashable],
    *,
    of: tuple[Smoothed | None, Smoothed | None] = (None, None),
    units: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """The difference of two figures, both of which see the same draws of the groups.

    Its interval is put together from those of the figures, l … u, and the correlation r of their draws (Newcombe, 1998;
    Zou and Donner, 2008), with `of` and `units` as `estimate` takes them:

        low  = d - √((s - l₂)² - 2 r (s - l₂) (u₁ - f) + (u₁ - f)²)     d = s - f, second less first
        high = d + √((u₂ - s)² - 2 r (u₂ - s) (f - l₁) + (f - l₁)²)

    p is twice the smaller share of the draws that lie on either side of 0, with what was found as one of them, so that
    p is never below 2 / (draws + 1).
    """
    one, units = torch.ones(1, len(groups), dtype=torch.float64), len(set(groups)) if units is None else units
    values = [float(statistic(one)[0]) for statistic in (first, second)]
    both = torch.stack([draw(statistic, groups, draws=draws, seed=seed) for statistic in (first, second)])
    known = both[:, both.isfinite().all(0)]
    ends = [interval(value, each, units=units, of=own) for value, each, own in zip(values, known, of, strict=True)]
    apart = known[1] - known[0]
    sides = [int((apart <= 0).sum()), int((apart >= 0).sum())]
    low, high = _together(values, ends, _correlation(known))
    p = min(1.0, 2 * (min(sides) + 1) / (known.shape[1] + 1))
    return Difference(value=values[1] - values[0], low=low, high=high, p=p)


def _correlation(both: Float64[Tensor, "2 d"]) -> float:
    """0 where one of the two does not vary."""
    centred = both - both.mean(1, keepdim=True)
    spread = float(centred.square().sum(1).prod().sqrt())
    return float(centred.prod(0).sum()) / spread if spread > 1e-12 else 0.0


def _together(
    values: Sequence[float], ends: Sequence[tuple[float | None, float | None]], correlation: float
) -> tuple[float | None, float | None]:
    (low_1, high_1), (low_2, high_2) = ends
    if low_1 is None or high_1 is None or low_2 is None or high_2 is None:
        return None, None

    def reach(one: float, other: float) -> float:
        return sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))

    value = values[1] - values[0]
    return value - reach(values[1] - low_2, high_1 - values[0]), value + reach(high_2 - values[1], values[0] - low_1)
