"""Top-k and average precision against plain loops, scores, and the confusion matrix."""

import math

import pytest
import torch

from vidtok.metrics import (
    average_precision,
    calibration_error,
    charades_precision,
    confusion,
    multi_hot,
    reliability,
    score_interval,
    taken_for,
    to_scores,
    top_k_hits,
    weighted_precisions,
)


def naive_hits(scores, labels, k):
    hits = []
    for row, own in zip(scores.tolist(), labels, strict=True):
        hit = False
        for label in own:
            others = [value for j, value in enumerate(row) if j != label and value >= row[label]]
            hit = hit or len(others) < k
        hits.append(hit)
    return hits


@pytest.mark.parametrize("k", [1, 3, 5])
def test_hits_equal_a_plain_loop(k):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 6, (200, 7), generator=generator).double()  # many ties
    labels = [(int(label),) for label in torch.randint(0, 7, (200,), generator=generator)]
    labels[5] = (1, 4)
    assert top_k_hits(scores, labels, k=k).tolist() == naive_hits(scores, labels, k)


def test_a_constant_output_hits_nothing():
    assert top_k_hits(torch.zeros(4, 3), [(0,), (1,), (2,), (0,)], k=1).sum() == 0


def test_nan_hits_nothing():
    assert not top_k_hits(torch.tensor([[0.0, float("nan")]]), [(1,)], k=1).any()


def test_more_than_all_classes_is_an_error():
    with pytest.raises(ValueError, match="at least 5 classes"):
        top_k_hits(torch.zeros(1, 4), [(0,)], k=5)


def naive_average_precision(scores, labels, k):
    """From the definition: one threshold after the other, recall and precision of the rows at or above it."""
    column = [row[k] for row in scores.tolist()]
    has = [k in own for own in labels]
    if not any(has):
        return math.nan
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(column), reverse=True):
        found = [own for value, own in zip(column, has, strict=True) if value >= threshold]
        recall, precision = sum(found) / sum(has), sum(found) / len(found)
        total += (recall - recall_before) * precision
        recall_before = recall
    return total


@pytest.mark.parametrize("levels", [4, 1000])  # many ties, and hardly any
def test_average_precision_equals_a_plain_loop(levels):
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(0, levels, (60, 6), generator=generator).double() / levels
    scores[7] = -torch.inf
    labels = [tuple(row.nonzero()[:, 0].tolist()) for row in torch.rand(60, 6, generator=generator) < 0.3]
    labels = [tuple(k for k in own if k != 4) for own in labels]  # nobody has class 4
    got = average_precision(scores, labels)
    assert got.dtype == torch.float64
    expected = [naive_average_precision(scores, labels, k) for k in range(6)]
    assert got.tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert math.isnan(expected[4])
    mixed = torch.randperm(60, generator=generator)
    again = average_precision(scores[mixed], [labels[row] for row in mixed])
    assert again.tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_average_precision_of_scores_that_say_all_nothing_or_the_opposite():
    labels = [(0,), (0,), (1,), (1,)]
    right = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.2, 0.7], [0.1, 0.6]])
    assert average_precision(right, labels).tolist() == [1.0, 1.0]
    assert average_precision(torch.zeros(4, 2), labels).tolist() == [0.5, 0.5]
    assert average_precision(-right, labels).tolist() == pytest.approx([(1 / 3 + 2 / 4) / 2] * 2)


def test_nan_and_infinity_keep_their_places():
    scores = torch.tensor([[math.nan], [math.inf], [1.0], [-math.inf]])
    assert average_precision(scores, [(), (0,), (), ()]).tolist() == [1.0]
    assert average_precision(scores, [(0,), (), (), ()]).tolist() == [0.25]


def test_average_precision_of_no_rows():
    assert average_precision(torch.empty(0, 2), []).isnan().all()


def test_multi_hot():
    assert multi_hot([(2, 0), (), (1,)], classes=3).tolist() == [
        [True, False, True], [False, False, False], [False, True, False]
    ]  # fmt: skip


def test_scores_of_logits():
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)
    assert to_scores(logits, kind="softmax").tolist() == [pytest.approx([0.25, 0.75])]
    assert to_scores(logits, kind="sigmoid").tolist() == [pytest.approx([0.5, 0.75])]


def test_confusion_counts_rows_by_label():
    table = confusion(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 2]), classes=3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_charades_script_sinks_rows_without_labels_and_keeps_the_list_s_order():
    """A plain loop over the rows as the script ranks them."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(0, 4, (40, 3), generator=generator).double()
    labels = [tuple(row.nonzero()[:, 0].tolist()) for row in torch.rand(40, 3, generator=generator) < 0.3]
    for k, found in enumerate(charades_precision(scores, labels).tolist()):
        rows = [(float(score[k]) if own else -math.inf, k in own) for score, own in zip(scores, labels, strict=True)]
        ranked = sorted(rows, key=lambda row: -row[0])
        places = [place for place, (_, has) in enumerate(ranked, 1) if has]
        assert found == pytest.approx(sum((i + 1) / place for i, place in enumerate(places)) / len(places))


def test_a_row_of_weight_two_is_there_twice_and_one_of_none_not_at_all():
    scores = torch.tensor([[0.9], [0.5], [0.5], [0.1]], dtype=torch.float64)
    hot = torch.tensor([[True], [False], [True], [True]])
    times = torch.tensor([[2.0, 1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 1.0]], dtype=torch.float64)
    found = weighted_precisions(scores, hot, times)
    for row, own in zip(found, times, strict=True):
        written = [i for i, n in enumerate(own.int().tolist()) for _ in range(n)]
        labels = [(0,) if hot[i] else () for i in written]
        assert float(row) == pytest.approx(float(average_precision(scores[written], labels)))


def test_equal_scores_are_taken_for_another_class():
    scores = torch.tensor([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1], [0.2, 0.3, 0.5], [math.nan, 0.1, 0.0]])
    assert taken_for(scores, [(0,), (1,), (2,), (0,)]).tolist() == [1, 0, 2, 1]


def test_bins_hold_their_upper_ends_and_their_mean_distance_is_the_error():
    confidence = torch.tensor([0.0, 0.5, 0.51, 1.0], dtype=torch.float64)
    bins = reliability(confidence, torch.tensor([False, True, False, True]), bins=2)
    assert [(each.low, each.high, each.n) for each in bins] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]
    assert [(each.confidence, each.accuracy) for each in bins] == [(0.25, 0.5), (pytest.approx(0.755), 0.5)]
    assert calibration_error(bins) == pytest.approx((2 * 0.25 + 2 * 0.255) / 4)
    assert math.isnan(calibration_error(()))
    (one,) = reliability(torch.tensor([0.99]), torch.tensor([True]))
    assert one.high - one.low == pytest.approx(1 / 15)


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_score_intervals_of_a_printed_table(hits, cases, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I; and of the misses."""
    found = score_interval(hits / cases, count=float(cases), reach=1.959964)
    assert found == pytest.approx((low, high), abs=5e-5)
    assert score_interval(1 - hits / cases, count=float(cases), reach=1.959964) == pytest.approx(
        (1 - high, 1 - low), abs=5e-5
    )


@pytest.mark.parametrize("share", [0.0, 1.0, 0.3])
def test_a_score_interval_holds_its_share_and_stays_within_0_and_1(share):
    for count in (1.0, 2.5, 7.0, 1e3, 1e15):
        low, high = score_interval(share, count=count, reach=1.0)
        assert 0 <= low <= share <= high <= 1
