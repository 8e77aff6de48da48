"""Nested cross-validation: what is left out is never looked at, controls are judged by the same probe."""

import pytest
import torch

from vidtok.data.divide import divide
from vidtok.train.nested import DIVISIONS, JUDGED, Videos, left_out_logits, standard_error


def videos(count: int = 24) -> Videos:
    labels = [(k % 2,) for k in range(count)]
    groups = [k // 2 for k in range(count)]
    return Videos(labels=labels, groups=groups, folds=divide(labels, groups, folds=3), classes=2)


def telling(own: Videos, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(len(own.labels), 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.cat([noise, own.targets[:, :1] * 8], dim=1)


def test_what_a_fold_says_does_not_change_with_its_own_rows():
    """Other features in a fold's rows change that fold's logits, but not by which probe they are judged."""
    own = videos()
    x = telling(own)
    before = left_out_logits({"plain": {"x": x}}, own, kind="softmax")["plain"]
    rows = torch.tensor(own.folds) == 0
    other = x.clone()
    other[rows] = telling(own, seed=5)[rows]
    both = left_out_logits({"plain": {"x": x}, "other": {"x": other}}, own, kind="softmax")
    assert torch.equal(both["plain"], before)
    assert torch.equal(both["other"][~rows], before[~rows])
    alone = left_out_logits({"plain": {"x": other}}, own, kind="softmax")["plain"]
    torch.testing.assert_close(alone[rows], both["other"][rows])
    assert (before.argmax(1) == own.targets.argmax(1)).all()


def test_controls_of_a_union_are_judged_part_by_part():
    own = videos()
    x, other = telling(own), telling(own, seed=3)
    features = {"plain": {"a": x, "b": other}, "other": {"a": other, "b": x}}
    both = left_out_logits(features, own, kind="softmax", among=("a_b",))
    alone = left_out_logits({"plain": features["plain"]}, own, kind="softmax", among=("a_b",))["plain"]
    assert torch.equal(both["plain"], alone)
    assert not torch.equal(both["other"], alone), "the parts keep their order"


def test_a_share_is_smaller_and_needs_groups():
    own = videos()
    x = {"plain": {"x": telling(own)}}
    assert not torch.equal(
        left_out_logits(x, own, kind="softmax", share=2)["plain"], left_out_logits(x, own, kind="softmax")["plain"]
    )
    assert own.can_halve()
    assert not videos(8).can_halve(), "four groups in three folds leave two or three to train on"


def test_a_subset_keeps_what_is_known_of_each():
    own = videos()
    some = own.subset([5, 2])
    assert some.labels == [own.labels[5], own.labels[2]] == [(1,), (0,)]
    assert (some.groups, some.folds, some.classes) == ([2, 1], [own.folds[5], own.folds[2]], 2)


def test_inner_divisions_keep_groups():
    own = videos()
    rows = list(range(4, 20))
    folds = own.inner(rows, seed=0)
    assert len(set(folds)) == 4
    assert all(folds[k] == folds[k + 1] for k in range(0, 16, 2))


def test_a_choice_is_made_on_several_divisions_of_its_own_rows():
    own = videos()
    found = own.choosing(list(range(4, 20)), seed=3)
    assert len(set(found)) == DIVISIONS > 1, "no two are alike"
    assert found[0] == own.inner(list(range(4, 20)), seed=3)
    assert found[1:] == own.choosing(list(range(4, 20)), seed=4)[:-1]
    many = videos(JUDGED)
    assert [len(many.choosing(list(range(n)), seed=0)) for n in (JUDGED // 2, JUDGED)] == [2, 1]


def test_where_one_group_is_left_its_videos_are_divided():
    own = videos()
    assert own.groups[4] == own.groups[5]
    assert len(set(own.inner([4, 5], seed=0))) == 2


def test_the_standard_error_is_that_of_independent_groups():
    hits = [True, True, True, False] * 25
    single = standard_error(hits, list(range(100)))
    assert single == pytest.approx((0.75 * 0.25 / 100) ** 0.5, rel=0.1)
    paired = standard_error([hit for hit in hits for _ in range(2)], [k for k in range(100) for _ in range(2)])
    assert paired == pytest.approx(single, rel=0.1)


@pytest.mark.parametrize("hit", [True, False])
def test_a_standard_error_is_not_0_where_all_are_right(hit):
    """Half of Wilson's interval, by hand: 0 or n of n lie up to z² / (n + z²) apart from it, with z = 1."""
    assert standard_error([hit] * 72, list(range(72))) == pytest.approx(1 / 73 / 2)
    assert standard_error([hit] * 72, [k // 12 for k in range(72)]) == pytest.approx(1 / 7 / 2)  # six groups
