"""Folds: groups stay whole, classes are shared out, and the same seed gives the same division."""

from collections import Counter

import pytest

from vidtok.data.divide import divide
from vidtok.errors import DataError


def test_groups_stay_together_and_every_fold_has_its_share_of_each_class():
    groups = [person for person in range(12) for _ in range(8)]
    labels = [(k % 4,) for _ in range(12) for k in range(8)]
    folds = divide(labels, groups, folds=4, seed=3)
    assert all(
        len({fold for fold, group in zip(folds, groups, strict=True) if group == person}) == 1 for person in range(12)
    )
    for fold in range(4):
        counts = Counter(label for (label,), own in zip(labels, folds, strict=True) if own == fold)
        assert counts == dict.fromkeys(range(4), 6)


def test_a_rare_class_is_spread():
    labels = [(0,)] * 40 + [(1,)] * 5
    folds = divide(labels, list(range(45)), folds=5)
    assert sorted(folds[40:]) == [0, 1, 2, 3, 4]
    assert set(Counter(folds).values()) == {9}


def test_the_seed_decides_between_equal_ones():
    labels, groups = [(k % 2,) for k in range(20)], list(range(20))
    assert divide(labels, groups, folds=5, seed=1) == divide(labels, groups, folds=5, seed=1)
    assert len({divide(labels, groups, folds=5, seed=seed) for seed in range(4)}) > 1


def test_several_labels_count_each():
    labels = [(0, 1), (0,), (1,), (), (0, 1), (0,), (1,), ()]
    folds = divide(labels, list(range(8)), folds=2)
    for fold in (0, 1):
        counts = Counter(label for own, place in zip(labels, folds, strict=True) if place == fold for label in own)
        assert counts == {0: 2, 1: 2}


@pytest.mark.parametrize(("groups", "folds"), [(["a", "a", "b"], 3), (["a", "b", "c"], 1)])
def test_too_few_groups_are_told(groups, folds):
    with pytest.raises(DataError, match=rf"{folds} folds of 3 videos in {len(set(groups))} groups"):
        divide([(0,)] * 3, groups, folds=folds)
