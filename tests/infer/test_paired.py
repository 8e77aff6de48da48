"""Paired tests: McNemar by counting, the bootstrap by what it must say of equal and of different models."""

from itertools import product

import pytest
import torch

from vidtok.infer.bootstrap import drawn_weights, estimate, smoothed
from vidtok.infer.paired import mcnemar, paired_bootstrap


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (3, 3), (2, 8), (0, 6), (9, 1)])
def test_mcnemar_is_a_count_of_all_ways(one, other):
    """Of the 2^n ways in which each of n videos is one model's, how many are at least as uneven."""
    n = one + other
    uneven = sum(abs(2 * sum(way) - n) >= abs(one - other) for way in product((0, 1), repeat=n))
    assert mcnemar(one, other) == pytest.approx(uneven / 2**n, abs=1e-12)
    assert mcnemar(other, one) == mcnemar(one, other)


def test_many_videos():
    assert mcnemar(1000, 1000) == 1.0
    assert mcnemar(5, 15) == pytest.approx(0.041389, abs=1e-6)  # of a table of the binomial distribution
    assert mcnemar(5000, 5600) < 1e-8


def share(hits):
    return lambda weights: weights @ hits.double() / weights.sum(1)


def test_two_models_on_the_same_draws():
    """Each is right in half of the videos, and the second wherever the first is and in eight more of a hundred."""
    first = torch.arange(100) < 50
    second = torch.arange(100) < 58
    found = paired_bootstrap(share(first), share(second), range(100))
    assert found.value == pytest.approx(0.08)
    assert found.low is not None
    assert found.high is not None
    assert 0.02 < found.low < 0.05 < 0.12 < found.high < 0.16  # each alone is known to 0.1 up and down
    assert found.p <= 2 / 1001 * 3
    same = paired_bootstrap(share(first), share(first), range(100))
    assert (same.value, same.p) == (0.0, 1.0)


def test_groups_say_less_than_videos():
    first, second = torch.arange(40) < 20, torch.arange(40) < 28
    alone = paired_bootstrap(share(first), share(second), range(40))
    together = paired_bootstrap(share(first), share(second), [i // 8 for i in range(40)])
    assert alone.p < 0.02
    assert together.p > 0.1  # one group of five says all of it


def test_the_ends_are_those_of_the_two_figures_together():
    """By hand, with the correlation of two shares of the same videos: that of their hits, but for the draws' noise."""
    first, second = torch.arange(100) < 60, (torch.arange(100) >= 10) & (torch.arange(100) < 80)
    found = paired_bootstrap(share(first), share(second), range(100), draws=20_000)
    f, s = (estimate(share(each), range(100), draws=20_000) for each in (first, second))
    r = float(torch.corrcoef(torch.stack([first, second]).double())[0, 1])
    down, up = s.value - s.low, f.high - f.value
    assert found.low == pytest.approx(s.value - f.value - (down**2 - 2 * r * down * up + up**2) ** 0.5, abs=2e-3)
    up, down = s.high - s.value, f.value - f.low
    assert found.high == pytest.approx(s.value - f.value + (up**2 - 2 * r * down * up + down**2) ** 0.5, abs=2e-3)


def test_two_that_are_always_right_may_still_differ():
    every = torch.ones(72, dtype=torch.bool)
    found = paired_bootstrap(share(every), share(every), range(72))
    assert found.value == 0
    assert found.p == 1
    assert -0.06 < found.low < -0.04
    assert found.high == pytest.approx(-found.low)


def test_one_group_has_no_interval():
    found = paired_bootstrap(share(torch.arange(4) < 2), share(torch.arange(4) < 3), "aaaa")
    assert (found.value, found.low, found.high) == (0.25, None, None)


@pytest.mark.parametrize(("videos", "one", "other", "both"), [(72, 0.9, 0.95, 0.88), (300, 0.97, 0.98, 0.96)])
def test_the_interval_of_a_difference_holds_the_truth(videos, one, other, both, monkeypatch):
    generator = torch.Generator().manual_seed(videos)
    drawn, parts = list(drawn_weights(range(videos), draws=400)), torch.zeros(videos, dtype=torch.int64)
    monkeypatch.setattr("vidtok.infer.bootstrap.drawn_weights", lambda *_, **__: drawn)  # the same for all cases
    held, cases = 0, 600
    for _ in range(cases):
        place = torch.rand(videos, generator=generator)
        pair = (place < one), (place < both) | ((place >= one) & (place < one + other - both))
        of = tuple(smoothed(each, parts, range(videos)) for each in pair)
        found = paired_bootstrap(share(pair[0]), share(pair[1]), range(videos), of=of)
        held += found.low <= other - one <= found.high
    assert 0.93 <= held / cases <= 0.975
