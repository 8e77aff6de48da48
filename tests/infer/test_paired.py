"""Paired tests: McNemar by counting, the bootstrap by what it must say of equal and of different models."""

from itertools import product

import pytest
import torch

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
    assert 0.03 < found.low < 0.06 < 0.12 < found.high < 0.16  # each alone is known to 0.1 up and down
    assert found.p <= 2 / 1001 * 3
    same = paired_bootstrap(share(first), share(first), range(100))
    assert (same.value, same.p) == (0.0, 1.0)


def test_groups_say_less_than_videos():
    first, second = torch.arange(40) < 20, torch.arange(40) < 28
    alone = paired_bootstrap(share(first), share(second), range(40))
    together = paired_bootstrap(share(first), share(second), [i // 8 for i in range(40)])
    assert alone.p < 0.02
    assert together.p > 0.1  # one group of five says all of it
