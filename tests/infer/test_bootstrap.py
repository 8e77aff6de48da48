"""Intervals by bootstrap hold the truth as often as they say, and draw what belongs together together."""

import math
from statistics import NormalDist

import pytest
import torch

from vidtok.infer.bootstrap import (
    acceleration,
    draw,
    drawn_weights,
    estimate,
    estimates_of_precision,
    interval,
    left_out_weights,
    student_quantile,
)
from vidtok.metrics import weighted_precisions

CASES = 1000
DRAWS = 400
"""Of each case; what is used takes more, which changes the share by less than a hundredth."""


def coverage(values, drawn, truth, *, units):
    """The share of the simulated cases whose interval holds the truth; `values` has a case per row, `drawn` too."""
    ends = [interval(value, row, units=units) for value, row in zip(values.tolist(), drawn, strict=True)]
    return sum(low <= truth <= high for low, high in ends) / len(ends)


@pytest.mark.parametrize(("videos", "accuracy"), [(60, 0.55), (200, 0.9)])
def test_the_interval_of_an_accuracy_holds_the_truth_in_95_of_100_cases(videos, accuracy):
    generator = torch.Generator().manual_seed(videos)
    hits = (torch.rand(videos, CASES, generator=generator) < accuracy).double()
    weights = torch.cat(list(drawn_weights(range(videos), draws=DRAWS)))
    drawn = weights @ hits / weights.sum(1, keepdim=True)
    assert 0.93 <= coverage(hits.mean(0), drawn.T, accuracy, units=videos) <= 0.97


def test_groups_are_drawn_together_and_then_too_it_holds_the_truth():
    """Thirty people with four videos each, of whom each is easy or hard: videos alone would say too much."""
    generator = torch.Generator().manual_seed(0)
    people, each = 30, 4
    easy = torch.rand(people, CASES, generator=generator) < 0.6
    chance = torch.where(easy, 0.95, 0.3).repeat_interleave(each, dim=0)
    hits = (torch.rand(people * each, CASES, generator=generator) < chance).double()
    truth = 0.6 * 0.95 + 0.4 * 0.3
    found = {}
    for name, groups in (("people", [row // each for row in range(len(hits))]), ("videos", range(len(hits)))):
        weights = torch.cat(list(drawn_weights(groups, draws=DRAWS)))
        drawn = (weights @ hits / weights.sum(1, keepdim=True)).T
        found[name] = coverage(hits.mean(0), drawn, truth, units=len(set(groups)))
    assert 0.93 <= found["people"] <= 0.97
    assert found["videos"] < 0.85


def test_the_interval_of_a_mean_of_ratios_holds_the_truth():
    """The mean accuracy of two classes, the rarer of which has a tenth of the videos."""
    generator = torch.Generator().manual_seed(1)
    videos = 200
    rare = torch.rand(videos, CASES, generator=generator) < 0.1
    hits = torch.rand(videos, CASES, generator=generator) < torch.where(rare, 0.4, 0.8)
    weights = torch.cat(list(drawn_weights(range(videos), draws=DRAWS)))

    def mean_accuracy(weights):
        parts = [(weights @ (hits & own).double()) / (weights @ own.double()) for own in (rare, ~rare)]
        return torch.stack(parts).nanmean(0)

    values = mean_accuracy(torch.ones(1, videos, dtype=torch.float64))[0]
    assert 0.93 <= coverage(values, mean_accuracy(weights).T, 0.6, units=videos) <= 0.97


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


def test_a_figure_that_the_draws_lie_above_is_corrected():
    """The percentiles of a median that sits at the 30th: below the plain ones."""
    drawn = torch.linspace(0, 1, 1001, dtype=torch.float64)
    low, high = interval(0.3, drawn, units=10**6)
    shift, normal = 2 * NormalDist().inv_cdf(0.3), NormalDist()
    assert low == pytest.approx(normal.cdf(shift - 1.959966), abs=2e-3)
    assert high == pytest.approx(normal.cdf(shift + 1.959966), abs=2e-3)


def test_the_interval_of_average_precision_holds_the_truth():
    """Videos that show any of three classes, with scores that tell them apart somewhat."""
    generator = torch.Generator().manual_seed(5)
    videos, cases = 200, 200

    def drawn_set(n):
        hot = torch.rand(n, 3, generator=generator) < 0.3
        return torch.randn(n, 3, generator=generator).double() + 1.2 * hot, hot

    scores, hot = drawn_set(400_000)
    one = torch.ones(1, 400_000, dtype=torch.float64)
    truth = float(weighted_precisions(scores, hot, one).mean())
    weights = torch.cat(list(drawn_weights(range(videos), draws=DRAWS)))
    held = 0
    for _ in range(cases):
        scores, hot = drawn_set(videos)
        value = float(weighted_precisions(scores, hot, one[:, :videos]).mean())
        low, high = interval(value, weighted_precisions(scores, hot, weights).mean(1), units=videos)
        held += low <= truth <= high
    assert 0.93 <= held / cases <= 0.97


@pytest.mark.parametrize(
    ("videos", "share", "apart"),
    [(100, 0.2, 1.2), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((60, 1 / 3, 2.5), (200, 0.3, 0.5)))],
)
def test_the_interval_of_a_single_class_s_average_precision_holds_the_truth(videos, share, apart, monkeypatch):
    """Twenty to sixty videos of the class; what is only corrected holds it in 92 to 93 of 100 cases."""
    generator = torch.Generator().manual_seed(videos)

    def drawn_set(n):
        hot = torch.rand(n, 1, generator=generator) < share
        return torch.randn(n, 1, generator=generator).double() + apart * hot, hot

    scores, hot = drawn_set(1_000_000)
    truth = float(weighted_precisions(scores, hot, torch.ones(1, len(hot), dtype=torch.float64)))
    drawn, left_out = list(drawn_weights(range(videos), draws=DRAWS)), list(left_out_weights(range(videos)))
    monkeypatch.setattr("vidtok.infer.bootstrap.drawn_weights", lambda *_, **__: drawn)  # the same for all cases
    monkeypatch.setattr("vidtok.infer.bootstrap.left_out_weights", lambda *_, **__: left_out)
    held, cases = 0, 600
    for _ in range(cases):
        scores, hot = drawn_set(videos)
        (found,) = estimates_of_precision(
            lambda weights, scores=scores, hot=hot: weighted_precisions(scores, hot, weights),
            *(range(videos),),
            units=[int(hot.sum())],
        )
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.93 <= held / cases <= 0.97


def test_each_group_is_left_out_once_or_as_a_part_of_a_block():
    (alone,) = left_out_weights(["a", "b", "a", "c"])
    assert alone.tolist() == [[0, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]]
    (blocks,) = left_out_weights("abcde", blocks=2)
    assert blocks.tolist() == [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]


def test_left_out_groups_that_do_not_fit_into_memory_at_once_are_the_same(monkeypatch):
    (whole,) = left_out_weights(range(9))
    monkeypatch.setattr("vidtok.infer.bootstrap.ROOM", 4 * 9)
    parts = list(left_out_weights(range(9)))
    assert [len(part) for part in parts] == [4, 4, 1]
    assert torch.equal(torch.cat(parts), whole)


def test_the_acceleration_of_a_mean_is_a_sixth_of_its_skewness():
    """Efron, 1987: of the mean of n numbers, skewness / 6 √n."""
    numbers = torch.tensor([1.0, 1.0, 2.0, 3.0, 9.0], dtype=torch.float64)
    (weights,) = left_out_weights(range(5))
    apart = numbers - numbers.mean()
    skewness = float(apart.pow(3).mean() / apart.square().mean() ** 1.5)
    assert acceleration(weights @ numbers / weights.sum(1)) == pytest.approx(skewness / 6 / 5**0.5)
    assert acceleration(torch.tensor([0.5, math.nan, 0.5], dtype=torch.float64)) == 0


def test_an_accelerated_interval_reaches_further_where_the_figure_varies_more():
    drawn, normal = torch.linspace(0, 1, 10001, dtype=torch.float64), NormalDist()
    low, high = interval(0.4, drawn, units=10**6, acceleration=0.1)
    for end, z in ((low, -1.959966), (high, 1.959966)):
        shift = normal.inv_cdf(0.4)
        assert end == pytest.approx(normal.cdf(shift + (shift + z) / (1 - 0.1 * (shift + z))), abs=1e-3)
