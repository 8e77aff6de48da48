"""Intervals by bootstrap hold the truth as often as they say, and draw what belongs together together."""

import math

import pytest
import torch

from vidtok.infer.bootstrap import (
    Smoothed,
    draw,
    drawn_weights,
    estimate,
    estimates,
    interval,
    smoothed,
    student_quantile,
)
from vidtok.metrics import score_interval, weighted_precisions

CASES = 1000
DRAWS = 400
"""Of each case; what is used takes more, which changes the share by less than a hundredth."""


def drawn_once(groups):
    """The draws that all cases see."""
    return torch.cat(list(drawn_weights(groups, draws=DRAWS)))


def coverage(values, drawn, truth, *, units, of=None):
    """The share of the simulated cases whose interval holds the truth; `values` has a case per row, `drawn` too."""
    of = [None] * len(values) if of is None else of
    cases = zip(values.tolist(), drawn, of, strict=True)
    ends = [interval(value, row, units=units, of=own) for value, row, own in cases]
    return sum(low <= truth <= high for low, high in ends) / len(ends)


def smoothed_cases(hits, parts, groups):
    return [smoothed(each, parts, groups) for each in hits.T]


@pytest.mark.parametrize(("videos", "accuracy"), [(60, 0.55), (200, 0.9), (40, 0.95), (72, 0.98), (400, 0.99)])
def test_the_interval_of_an_accuracy_holds_the_truth_in_95_of_100_cases(videos, accuracy):
    """Near 1 as well, where in many cases all videos are right, and each draw is."""
    generator = torch.Generator().manual_seed(videos)
    hits = torch.rand(videos, CASES, generator=generator) < accuracy
    weights = drawn_once(range(videos))
    drawn = (weights @ hits.double() / weights.sum(1, keepdim=True)).T
    of = smoothed_cases(hits, torch.zeros(videos, dtype=torch.int64), range(videos))
    assert 0.93 <= coverage(hits.double().mean(0), drawn, accuracy, units=videos, of=of) <= 0.97


@pytest.mark.parametrize(("share", "easy", "hard"), [(0.6, 0.95, 0.3), (0.95, 1.0, 0.5)])
def test_groups_are_drawn_together_and_then_too_it_holds_the_truth(share, easy, hard):
    """Thirty people with four videos each, of whom each is easy or hard: videos alone would say too much."""
    generator = torch.Generator().manual_seed(0)
    people, each = 30, 4
    chance = torch.where(torch.rand(people, CASES, generator=generator) < share, easy, hard)
    hits = torch.rand(people * each, CASES, generator=generator) < chance.repeat_interleave(each, dim=0)
    truth, parts = share * easy + (1 - share) * hard, torch.zeros(people * each, dtype=torch.int64)
    found = {}
    for name, groups in (("people", [row // each for row in range(len(hits))]), ("videos", range(len(hits)))):
        weights = drawn_once(groups)
        drawn = (weights @ hits.double() / weights.sum(1, keepdim=True)).T
        of = smoothed_cases(hits, parts, groups)
        found[name] = coverage(hits.double().mean(0), drawn, truth, units=len(set(groups)), of=of)
    assert 0.93 <= found["people"] <= 0.97
    assert found["videos"] < 0.9


@pytest.mark.parametrize(
    ("videos", "share", "accuracy", "other"), [(200, 0.1, 0.4, 0.8), (200, 0.1, 0.9, 0.98), (60, 0.3, 0.9, 0.97)]
)
def test_the_interval_of_a_mean_of_ratios_holds_the_truth(videos, share, accuracy, other):
    """The mean accuracy of two classes, all few videos of the rarer of which are right at times."""
    generator = torch.Generator().manual_seed(1)
    held, groups = 0, range(videos)
    weights, one = drawn_once(groups), torch.ones(1, videos, dtype=torch.float64)
    for _ in range(CASES):
        rare = torch.rand(videos, generator=generator) < share
        hits = torch.rand(videos, generator=generator) < torch.where(rare, accuracy, other)

        def mean_accuracy(weights, hits=hits, rare=rare):
            parts = [(weights @ (hits & own).double()) / (weights @ own.double()) for own in (rare, ~rare)]
            return torch.stack(parts).nanmean(0)

        of = smoothed(hits, rare.long(), groups)
        low, high = interval(float(mean_accuracy(one)), mean_accuracy(weights), units=videos, of=of)
        held += low <= (accuracy + other) / 2 <= high
    assert 0.93 <= held / CASES <= 0.97


def test_one_more_hit_and_miss_of_each_share():
    """Part 3 has three groups with half of their rows right, part 7 has two with all."""
    hits = torch.tensor([1, 1, 0, 0, 1, 1, 1], dtype=torch.bool)
    parts, groups = torch.tensor([3, 3, 3, 3, 7, 7, 7]), ["a", "b", "b", "c", "a", "d", "d"]
    found = smoothed(hits, parts, groups)
    first, second = (0.5 * 3 + 1) / 5, 3 / 4
    assert found.value == pytest.approx((first + second) / 2)
    # The first share's variance, 1/12, becomes smaller, 1/20, and the second's larger.
    assert found.more == pytest.approx(second * (1 - second) / 4 / 2**2)


def test_the_weights_are_draws_with_repetition():
    weights = torch.cat(list(drawn_weights(["a", "b", "a", "c"], draws=4000, seed=3)))
    assert weights.shape == (4000, 4)
    assert torch.equal(weights[:, 0], weights[:, 2])  # one group
    assert (weights[:, [0, 1, 3]].sum(1) == 3).all()
    share = (weights[:, 1] == 0).double().mean()
    assert share == pytest.approx((2 / 3) ** 3, abs=0.03)
    again = torch.cat(list(drawn_weights(["a", "b", "a", "c"], draws=4000, seed=3)))
    assert torch.equal(weights, again)
    other = torch.cat(list(drawn_weights(["a", "b", "a", "c"], draws=4000, seed=4)))
    assert not torch.equal(weights, other)


def test_draws_that_do_not_fit_into_memory_at_once_are_the_same(monkeypatch):
    whole = draw(lambda weights: weights[:, 0], range(7), draws=50)
    monkeypatch.setattr("vidtok.infer.bootstrap.ROOM", 7 * 8)
    assert [len(part) for part in drawn_weights(range(7), draws=50)] == [8, 8, 8, 8, 8, 8, 2]
    assert torch.equal(draw(lambda weights: weights[:, 0], range(7), draws=50), whole)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776445), (10, 2.228139), (30, 2.042272), (10**6, 1.959966)])
def test_quantiles_of_student(freedom, quantile):
    """Of a printed table."""
    assert student_quantile(0.975, freedom=freedom) == pytest.approx(quantile, rel=3e-3)


def test_one_group_has_no_interval():
    found = estimate(lambda weights: weights @ torch.tensor([1.0, 0.0]).double() / weights.sum(1), ["a", "a"])
    assert found.as_dict() == {"value": 0.5, "low": None, "high": None}
    assert interval(math.nan, torch.ones(10, dtype=torch.float64), units=5) == (None, None)
    assert interval(0.5, torch.full((3,), math.nan, dtype=torch.float64), units=5) == (None, None)


def test_an_interval_is_wilson_s_of_as_many_cases_as_the_draws_spread_like():
    """Of draws with the variance 0.002, that of 0.3 of 105; the units are so many that all else is nothing."""
    drawn = 0.3 + 0.002**0.5 * torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(50)
    wanted = score_interval(0.3, count=0.3 * 0.7 / 0.002, reach=1.959964)
    assert interval(0.3, drawn, units=10**9) == pytest.approx(wanted, abs=1e-5)
    few = score_interval(0.3, count=0.3 * 0.7 / (0.002 * 5 / 4), reach=student_quantile(0.975, freedom=4))
    assert interval(0.3, drawn, units=5) == pytest.approx(few)
    of = Smoothed(value=0.4, more=0.001)
    more = score_interval(0.3, count=0.4 * 0.6 / (0.002 * 5 / 4 + 0.001), reach=student_quantile(0.975, freedom=4))
    assert interval(0.3, drawn, units=5, of=of) == pytest.approx(more)


@pytest.mark.parametrize("value", [1.0, 0.0, 0.5])
def test_where_no_draw_differs_the_units_are_the_cases(value):
    wanted = score_interval(value, count=20.0, reach=student_quantile(0.975, freedom=19))
    low, high = interval(value, torch.full((9,), value, dtype=torch.float64), units=20)
    assert (low, high) == wanted
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.15


@pytest.mark.parametrize(
    ("videos", "classes", "share", "apart", "most"),
    [
        (100, 1, 0.2, 1.2, 0.97),
        (40, 1, 0.5, 2.5, 0.97),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (60, 1, 1 / 3, 2.5, 0.97),
                (200, 1, 0.3, 0.5, 0.97),
                (200, 1, 0.5, 3.0, 0.97),
                (200, 3, 0.3, 1.2, 0.97),
                (60, 3, 0.3, 3.5, 0.97),
                (100, 1, 0.2, 3.5, 0.985),
            )
        ),
    ],
)
def test_the_interval_of_average_precision_holds_the_truth(videos, classes, share, apart, most):
    """Of one class, or the mean of three, from what is hardly told apart to where next to nothing is ranked wrong.

    There the interval is somewhat wide: twenty videos of which the truth is 0.978 are held in 97.5 of 100 cases.
    """
    generator = torch.Generator().manual_seed(videos)

    def drawn_set(n):
        hot = torch.rand(n, classes, generator=generator) < share
        return torch.randn(n, classes, generator=generator).double() + apart * hot, hot

    scores, hot = drawn_set(1_000_000)
    truth = float(weighted_precisions(scores, hot, torch.ones(1, len(hot), dtype=torch.float64)).mean())
    weights, one = drawn_once(range(videos)), torch.ones(1, videos, dtype=torch.float64)
    held, cases = 0, 1000
    for _ in range(cases):
        scores, hot = drawn_set(videos)
        value = float(weighted_precisions(scores, hot, one).nanmean())
        drawn = weighted_precisions(scores, hot, weights).nanmean(1)
        low, high = interval(value, drawn, units=int(hot.any(1).sum()))
        held += low <= truth <= high
    assert 0.93 <= held / cases <= most


def test_figures_that_rest_on_some_of_the_groups():
    """The same draws as one figure alone has; those of few groups are known less."""
    numbers = torch.arange(30).double() / 30

    def both(weights):
        mean = weights @ numbers / weights.sum(1)
        return torch.stack([mean, mean, 1 - mean], dim=1)

    first, few, turned = estimates(both, range(30), units=[30, 4, 30])
    assert first == estimate(lambda weights: both(weights)[:, 0], range(30))
    assert first.low > few.low
    assert first.high < few.high
    assert (turned.low, turned.high) == pytest.approx((1 - first.high, 1 - first.low))
