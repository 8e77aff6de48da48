"""How far a figure would move with other videos: intervals from videos, or groups of them, drawn with repetition."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from vidtok.metrics import score_interval

CONFIDENCE = 0.95
DRAWS = 1000
ROOM = 2**21
"""Numbers that are held at once for one statistic."""

Statistic = Callable[[Float64[Tensor, "d n"]], Float64[Tensor, "d"]]
"""A figure for each of `d` draws, by how often each row was drawn; NaN where it has none."""
Statistics = Callable[[Float64[Tensor, "d n"]], Float64[Tensor, "d m"]]
"""The same for several figures at once."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and the interval that holds its true value in CONFIDENCE of all cases; None: nothing to draw from."""

    value: float
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class Smoothed:
    """A mean of shares, if each had one more hit and one more miss (Laplace's rule)."""

    value: float
    more: float
    """How much larger its variance is where it is larger, over all shares: a share of 1 seems to have none."""


def smoothed(hits: Bool[Tensor, "n"], parts: Int64[Tensor, "n"], groups: Sequence[Hashable]) -> Smoothed:
    """Of the mean over parts of each part's share of hits; the groups that a part has are its cases."""
    values, more = list[float](), list[float]()
    for part in parts.unique().tolist():
        own = parts == part
        share, count = float(hits[own].double().mean()), len({groups[row] for row in own.nonzero()[:, 0].tolist()})
        value = (share * count + 1) / (count + 2)
        values.append(value)
        more.append(max(value * (1 - value) / (count + 2) - share * (1 - share) / count, 0.0))
    return Smoothed(value=sum(values) / len(values), more=sum(more) / len(more) ** 2)


def estimate(
    statistic: Statistic,
    groups: Sequence[Hashable],
    *,
    of: Smoothed | None = None,
    units: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """The figure of all rows and its interval; rows of one group are drawn together, for they are not independent.

    `of`: where the figure is a mean of shares, what it is smoothed. `units`: the groups that it rests on, if not all.
    """
    value = float(statistic(torch.ones(1, len(groups), dtype=torch.float64))[0])
    drawn = draw(statistic, groups, draws=draws, seed=seed)
    low, high = interval(value, drawn, units=len(set(groups)) if units is None else units, of=of)
    return Estimate(value=value, low=low, high=high)


def estimates(
    statistics: Statistics, groups: Sequence[Hashable], *, units: Sequence[int], draws: int = DRAWS, seed: int = 0
) -> list[Estimate]:
    """Figures that rest on some of the groups, as average precision does on a class's videos: on `units` of them."""
    whole = statistics(torch.ones(1, len(groups), dtype=torch.float64))[0]
    drawn = torch.cat([statistics(weights) for weights in drawn_weights(groups, draws=draws, seed=seed)])
    found = []
    for place, (value, own) in enumerate(zip(whole.tolist(), units, strict=True)):
        low, high = interval(value, drawn[:, place], units=own)
        found.append(Estimate(value=value, low=low, high=high))
    return found


def draw(
    statistic: Statistic, groups: Sequence[Hashable], *, draws: int = DRAWS, seed: int = 0
) -> Float64[Tensor, "draws"]:
    """The figure of each draw. The same seed draws the same groups for any statistic, so that two can be paired."""
    return torch.cat([statistic(weights) for weights in drawn_weights(groups, draws=draws, seed=seed)])


def drawn_weights(groups: Sequence[Hashable], *, draws: int = DRAWS, seed: int = 0) -> Iterator[Float64[Tensor, "d n"]]:
    """How often each row is drawn, when as many groups as there are are drawn with repetition; some draws at a time."""
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    column = torch.tensor([places[group] for group in groups], dtype=torch.int64)
    units, rng = len(places), np.random.default_rng(seed)
    at_once = max(1, ROOM // max(1, len(groups)))
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        picked = rng.integers(max(units, 1), size=(rows, units)) + np.arange(rows)[:, None] * units
        counts = np.bincount(picked.ravel(), minlength=rows * units).reshape(rows, units)
        yield torch.from_numpy(counts).double()[:, column]


def interval(
    value: float, drawn: Float64[Tensor, "draws"], *, units: int, of: Smoothed | None = None
) -> tuple[float | None, float | None]:
    """The interval of a figure between 0 and 1: Wilson's, for the number of cases that its draws spread like.

        n = f (1 - f) / (v u / (u - 1) + m)

    with v the draws' variance, and u the units: a share of n independent cases would spread as much. f is the figure,
    or what it is `of`, smoothed, which adds m to the variance; where nothing spreads n is u. The reach is the quantile
    of Student's distribution with u - 1 degrees of freedom.

    Percentiles of the draws, bias-corrected and accelerated ones too, end where the draws do, which near 1 is too
    soon: of 72 videos of which 98 % are right, they hold the truth in 76 of 100 cases, as where all are right they have
    no width. None without two units, or a draw.
    """
    known = drawn[drawn.isfinite()]
    if units < 2 or not len(known) or not np.isfinite(value):
        return None, None
    centre, more = (value, 0.0) if of is None else (of.value, of.more)
    variance, alone = float(known.var(correction=0)) * units / (units - 1) + more, centre * (1 - centre)
    # Where each draw gives the same there is only rounding.
    count = alone / variance if min(alone, variance) > 1e-14 else float(units)
    return score_interval(value, count=count, reach=student_quantile(0.5 + CONFIDENCE / 2, freedom=units - 1))


def student_quantile(p: float, *, freedom: int) -> float:
    """The quantile of Student's distribution, by Abramowitz and Stegun, 26.7.5; exact to 2 % from 3 degrees on."""
    z = NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
