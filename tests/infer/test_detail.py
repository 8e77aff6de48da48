"""All figures of a test against plain loops, and by hand: ties, empty classes, one video, all of them failed."""

import json
import math
from pathlib import Path

import pytest
import torch

from vidtok.infer.bootstrap import Estimate, estimates
from vidtok.infer.detail import MISTAKES, confusions, measure_detail, without_nan
from vidtok.infer.evaluate import Predictions, collect, measure, merge
from vidtok.metrics import calibration_error, charades_precision, reliability, taken_for, weighted_precisions
from vidtok.types import Failure

NAMES = ("a", "b", "c", "d", "e", "f", "g")


def plain_detail(scores, labels, missed):
    """The figures of single labels, counted video by video."""
    rows = scores.tolist()
    k = len(rows[0])
    told = []
    for row, (own,) in zip(rows, labels, strict=True):
        best = [i for i in range(k) if row[i] == max(row)]
        told.append(next((i for i in best if i != own), own))
    pairs = [(own, guess) for (own,), guess in zip(labels, told, strict=True)] + [(own, None) for (own,) in missed]
    accuracy, f1 = [], []
    for i in range(k):
        right = sum(own == guess == i for own, guess in pairs)
        true = sum(own == i for own, _ in pairs)
        guessed = sum(guess == i for _, guess in pairs)
        accuracy.append(right / true if true else math.nan)
        f1.append(2 * right / (true + guessed) if true + guessed else math.nan)
    known = [value for value in accuracy if not math.isnan(value)]
    known_f1 = [value for value in f1 if not math.isnan(value)]
    top1 = sum(own == guess for own, guess in pairs) / len(pairs)
    return told, accuracy, f1, top1, sum(known) / len(known), sum(known_f1) / len(known_f1)


def tied_set():
    """Sixty videos of seven classes with many equal scores; nobody has class 4, nothing is taken for class 5."""
    generator = torch.Generator().manual_seed(2)
    scores = torch.randint(0, 5, (60, 7), generator=generator).double()
    scores[:, 5] = -1.0
    labels = [(int(label),) for label in torch.randint(0, 7, (60,), generator=generator)]
    labels = [(label[0] if label[0] != 4 else 3,) for label in labels]
    return scores.softmax(1), labels, [(1,), (3,), (1,)]


def test_figures_of_single_labels_equal_a_plain_loop():
    scores, labels, missed = tied_set()
    told, accuracy, f1, top1, mean_accuracy, macro = plain_detail(scores, labels, missed)
    found = measure_detail(
        scores, labels, kind="softmax", groups=range(60), missed=missed, missed_groups=[60, 61, 62], draws=20
    )
    assert taken_for(scores, labels).tolist() == told
    assert list(found.estimates) == ["top1", "top5", "mean_class_accuracy", "macro_f1"]
    values = {name: each.value for name, each in found.estimates.items()}
    figures = measure(scores, labels, kind="softmax", missed=missed).values
    assert values["top1"] == pytest.approx(top1, abs=1e-12) == pytest.approx(figures["top1"], abs=1e-12)
    assert values["top5"] == pytest.approx(figures["top5"], abs=1e-12)
    assert values["mean_class_accuracy"] == pytest.approx(mean_accuracy, abs=1e-12)
    assert values["macro_f1"] == pytest.approx(macro, abs=1e-12)
    assert [each.accuracy for each in found.classes] == pytest.approx(accuracy, abs=1e-12, nan_ok=True)
    assert [each.f1 for each in found.classes] == pytest.approx(f1, abs=1e-12, nan_ok=True)
    assert [each.videos for each in found.classes] == [
        sum(i in own for own in (*labels, *missed)) for i in range(7)
    ]  # fmt: skip
    assert math.isnan(found.classes[4].accuracy)
    assert math.isnan(found.classes[5].precision)
    assert found.counts is not None
    assert (found.rows, found.units, int(found.counts.sum())) == (63, 63, 60)
    assert all(each.average_precision is None for each in found.classes)


def test_by_hand():
    """Four videos and a failed one: a a b b, and b failed; taken for a b b a."""
    scores = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]], dtype=torch.float64)
    labels = [(0,), (0,), (1,), (1,)]
    found = measure_detail(scores, labels, kind="softmax", groups="wxyz", missed=[(1,)], missed_groups=["v"], draws=30)
    values = {name: each.value for name, each in found.estimates.items()}
    assert values == pytest.approx(
        {"top1": 2 / 5, "mean_class_accuracy": (1 / 2 + 1 / 3) / 2, "macro_f1": (2 / 4 + 2 / 5) / 2}
    )
    assert found.classes[1].precision == pytest.approx(1 / 2)
    assert found.counts is not None
    assert found.counts.tolist() == [[1, 1], [1, 1]]
    assert [(each.row, each.taken_for, each.score) for each in found.mistakes] == [(1, 1, 0.7), (3, 0, 0.6)]
    # Each of the four answers in a bin of its own: |1 - .9|, |0 - .7|, |1 - .8|, |0 - .6|.
    assert found.calibration == pytest.approx((0.1 + 0.7 + 0.2 + 0.6) / 4)
    plain = found.as_dict(("a", "b"))
    assert plain["classes"][1]["class"] == "b"
    assert plain["confusions"] == [
        {"class": "a", "taken_for": "b", "videos": 1}, {"class": "b", "taken_for": "a", "videos": 1}
    ]  # fmt: skip
    assert plain["intervals"] == {"confidence": 0.95, "draws": 30, "drawn": 5, "videos": 5}


def test_videos_of_a_group_are_drawn_together():
    """Twenty people, all of whose five videos are right or wrong: a hundred videos that say what twenty do."""
    hits = torch.arange(100) // 5 % 2
    scores = torch.nn.functional.one_hot(hits, 2).double()
    widths = {}
    for name, groups in (("alone", range(100)), ("together", [i // 5 for i in range(100)])):
        found = measure_detail(scores, [(0,)] * 100, kind="softmax", groups=groups)
        top1 = found.estimates["top1"]
        assert top1.low is not None
        assert top1.high is not None
        widths[name] = top1.high - top1.low
        assert found.units == (100 if name == "alone" else 20)
    assert widths["together"] > 2 * widths["alone"]


def plain_charades(scores, labels, k):
    """Charades' script for one class: videos without a label last, equal scores in the order of the list."""
    rows = [(-math.inf if not own else score[k], k in own) for score, own in zip(scores.tolist(), labels, strict=True)]
    order = sorted(range(len(rows)), key=lambda row: -rows[row][0])  # sorted keeps the order of equal ones
    found, total = 0, 0.0
    for place, row in enumerate(order, start=1):
        if rows[row][1]:
            found += 1
            total += found / place
    return total / found if found else math.nan


@pytest.mark.parametrize("levels", [4, 1000])  # many ties, and hardly any
def test_both_definitions_of_mean_average_precision(levels):
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(0, levels, (80, 6), generator=generator).double() / levels
    labels = [tuple(row.nonzero()[:, 0].tolist()) for row in torch.rand(80, 6, generator=generator) < 0.25]
    labels = [tuple(k for k in own if k != 4) for own in labels]  # nobody has class 4
    assert () in labels
    expected = [plain_charades(scores, labels, k) for k in range(6)]
    assert charades_precision(scores, labels).tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)
    found = measure_detail(scores, labels, kind="sigmoid", groups=range(80), draws=20)
    values = {name: each.value for name, each in found.estimates.items()}
    known = [value for value in expected if not math.isnan(value)]
    assert list(values) == ["mAP", "mAP_charades"]
    assert values["mAP_charades"] == pytest.approx(sum(known) / 5, abs=1e-12)
    assert values["mAP"] == pytest.approx(measure(scores, labels, kind="sigmoid", missed=[]).values["mAP"], abs=1e-12)
    assert values["mAP_charades"] > values["mAP"] + 0.01  # fewer false ones before the true ones
    assert found.classes[4].average_precision is not None
    assert math.isnan(found.classes[4].average_precision)
    assert (found.counts, found.classes[0].accuracy) == (None, None)


def test_the_average_precision_of_a_class_has_an_interval_by_the_groups_that_show_it():
    """Class 0 is shown by 20 of 40 videos, class 1 by both videos of one group, class 2 by the videos of two."""
    generator = torch.Generator().manual_seed(3)
    hot = torch.zeros(40, 3, dtype=torch.bool)
    hot[::2, 0] = hot[:2, 1] = hot[4:8, 2] = True
    scores = (torch.rand(40, 3, generator=generator).double() + 0.3 * hot).clamp(max=1)
    labels = [tuple(row.nonzero()[:, 0].tolist()) for row in hot]
    wide = measure_detail(scores, labels, kind="sigmoid", groups=[row // 2 for row in range(40)]).classes
    narrow = measure_detail(scores, labels, kind="sigmoid", groups=range(40)).classes
    for each in (wide[0], wide[2], *narrow):
        assert None not in (each.average_precision_low, each.average_precision, each.average_precision_high)
        assert 0 <= each.average_precision_low < each.average_precision < each.average_precision_high <= 1
    assert (wide[1].average_precision_low, wide[1].average_precision_high) == (None, None)
    few = narrow[1].average_precision_high - narrow[1].average_precision_low
    assert few > narrow[0].average_precision_high - narrow[0].average_precision_low
    plain = measure_detail(scores, labels, kind="sigmoid", groups=range(40)).as_dict("abc")["classes"][0]
    assert plain["average_precision_low"] == narrow[0].average_precision_low
    assert plain["average_precision_high"] == narrow[0].average_precision_high
    softmax = measure_detail(scores, [(0,)] * 40, kind="softmax", groups=range(40)).classes[0]
    assert (softmax.average_precision_low, softmax.average_precision_high) == (None, None)


def test_a_video_that_is_drawn_twice_is_there_twice(monkeypatch):
    """What a draw gives equals the figure of the list in which the drawn videos are written out.

    But for Charades' mAP, which gives copies thresholds of their own, and draws give them one.
    """
    generator = torch.Generator().manual_seed(0)
    scores, k = torch.rand(12, 4, generator=generator).double(), 4
    single = [(int(label),) for label in torch.randint(0, k, (12,), generator=generator)]
    several = [own if i % 3 else () for i, own in enumerate(single)]
    times = [2, 0, 1, 3, 0, 1, 1, 0, 2, 1, 1, 0]
    written = [row for row, n in enumerate(times) for _ in range(n)]
    weights = torch.tensor([times], dtype=torch.float64)

    def one_draw(statistic, groups, *, of=None, draws):
        drawn = (
            weights if len(groups) == 12 and list(groups) == list(range(12)) else torch.ones(1, len(groups)).double()
        )
        return Estimate(value=float(statistic(drawn)[0]), low=None, high=None)

    def one_draw_of_each(statistics, groups, *, units, draws):
        return [one_draw(lambda drawn, k=k: statistics(drawn)[:, k], groups, draws=draws) for k in range(len(units))]

    monkeypatch.setattr("vidtok.infer.detail.estimate", one_draw)
    monkeypatch.setattr("vidtok.infer.detail.estimates", one_draw_of_each)
    for kind, labels in (("softmax", single), ("sigmoid", several)):
        drawn = measure_detail(scores, labels, kind=kind, groups=range(12)).estimates
        whole = measure_detail(scores[written], [labels[row] for row in written], kind=kind, groups="x" * 12).estimates
        assert len(drawn) == (3 if kind == "softmax" else 2)
        for name in set(drawn) - {"mAP_charades"}:
            assert drawn[name].value == pytest.approx(whole[name].value, abs=1e-12)


def test_one_video_and_none():
    one = measure_detail(torch.tensor([[0.25, 0.75]]), [(1,)], kind="softmax", groups=["v"])
    assert {name: each.as_dict() for name, each in one.estimates.items()} == {
        name: {"value": 1.0, "low": None, "high": None} for name in ("top1", "mean_class_accuracy", "macro_f1")
    }
    assert one.calibration == 0.25
    for kind in ("softmax", "sigmoid"):
        none = measure_detail(torch.empty(0, 2), [], kind=kind, groups=[])
        assert (none.estimates, none.mistakes, none.bins, none.rows) == ({}, (), (), 0)
        assert json.loads(json.dumps(none.as_dict(("a", "b")), allow_nan=False))["calibration_error"] is None


@pytest.mark.parametrize(("kind", "names"), [("softmax", ["top1"]), ("sigmoid", ["mAP", "mAP_charades", "top1"])])
def test_all_videos_failed(kind, names):
    failed = [(0,), (1,)]
    found = measure_detail(torch.empty(0, 3), [], kind=kind, groups=[], missed=failed, missed_groups="vw", draws=9)
    values = {name: each.value for name, each in found.estimates.items()}
    assert [name for name in values if name in names] == names
    assert values["top1"] == values["mean_class_accuracy"] == values["macro_f1"] == 0.0
    if kind == "sigmoid":
        assert values["mAP"] == measure(torch.empty(0, 3), [], kind=kind, missed=failed).values["mAP"] == 0.5
        assert values["mAP_charades"] == pytest.approx((1 + 1 / 2) / 2)  # in the order of the list
    plain = json.dumps(found.as_dict(NAMES[:3]), allow_nan=False)
    assert json.loads(plain)["classes"][2]["accuracy"] is None


def test_bins_of_confidence():
    confidence = torch.tensor([0.0, 0.5, 0.51, 1.0, 0.74], dtype=torch.float64)
    right = torch.tensor([False, True, False, True, True])
    bins = reliability(confidence, right, bins=4)
    assert [(each.low, each.high, each.n) for each in bins] == [
        (0, 0.25, 1),
        (0.25, 0.5, 1),
        (0.5, 0.75, 2),
        (0.75, 1, 1),
    ]
    assert bins[2].confidence == pytest.approx(0.625)
    assert bins[2].accuracy == 0.5
    assert calibration_error(bins) == pytest.approx((0 + 0.5 + 2 * 0.125 + 0) / 5)
    assert math.isnan(calibration_error(()))


def test_with_several_labels_each_class_is_an_answer():
    scores = torch.tensor([[0.9, 0.2, 0.6], [0.4, 0.8, 0.7]], dtype=torch.float64)
    found = measure_detail(scores, [(0, 2), ()], kind="sigmoid", groups="vw", draws=5)
    gaps = [abs(1 - 0.9), 0.2, abs(1 - 0.6), 0.4, 0.8, 0.7]
    assert found.calibration == pytest.approx(sum(gaps) / 6)
    assert [(each.row, each.taken_for) for each in found.mistakes] == [(1, 1)]  # the video has none of its 0.8


def test_the_surest_mistakes_come_first_and_not_all_of_them():
    scores = torch.linspace(0.5, 0.9, 40, dtype=torch.float64)
    scores = torch.stack([scores, 1 - scores], dim=1)
    found = measure_detail(scores, [(1,)] * 40, kind="softmax", groups=range(40), draws=5)
    assert [each.row for each in found.mistakes] == list(range(39, 39 - MISTAKES, -1))


@pytest.mark.parametrize(
    ("kind", "work", "draws"), [("sigmoid", 2400, 300), ("sigmoid", 10, 200), ("softmax", 10, 1000)]
)
def test_draws_are_fewer_where_they_are_dear(monkeypatch, kind, work, draws):
    """Of four videos of two classes: 2400 / 8."""
    monkeypatch.setattr("vidtok.infer.detail.WORK", work)
    found = measure_detail(torch.rand(4, 2), [(0,), (1,), (0,), (1,)], kind=kind, groups=range(4))
    assert found.draws == draws
    assert found.as_dict(("a", "b"))["intervals"]["draws"] == draws


def test_confusions_by_number():
    counts = torch.tensor([[5, 1, 3], [3, 0, 0], [0, 4, 9]])
    assert confusions(counts, most=3) == [(2, 1, 4), (0, 2, 3), (1, 0, 3)]


def test_what_json_does_not_have_is_null():
    assert without_nan({"a": [math.nan, 1.0, {"b": math.inf}], "c": "nan", "d": 2}) == {
        "a": [None, 1.0, {"b": None}], "c": "nan", "d": 2
    }  # fmt: skip


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize(("kind", "aggregate"), [("sigmoid", "max"), ("softmax", "scores")])
def test_all_figures_are_those_of_one_process(processes, kind, aggregate):
    """Each process has every so many-th video, as EvalBatches deals them out; average precision and intervals too."""
    generator = torch.Generator().manual_seed(2)
    n, k = 40, 5
    logits = torch.randn(n, 4, k, generator=generator).round(decimals=1)  # with ties
    labels = [(row % k,) if kind == "softmax" else tuple(range(row % 3)) for row in range(n)]

    def of(rows) -> Predictions:
        own = [(row, str(row), labels[row], logits[row]) for row in rows if row != 13]
        failed = [Failure(index=row, path=Path(f"{row}.mp4"), cause="no", key=str(row)) for row in rows if row == 13]
        return collect(own, failed, views=4, classes=k)

    def detail(predictions: Predictions):
        return measure_detail(
            *(predictions.scores(aggregate, kind=kind), predictions.labels),
            kind=kind,
            groups=[row // 2 for row in predictions.indices],
            missed=[labels[failure.index] for failure in predictions.failures],
            missed_groups=[failure.index // 2 for failure in predictions.failures],
            draws=50,
        )

    parts = [of(range(rank, n, processes)) for rank in range(processes)]
    one, many = detail(of(range(n))), detail(merge(parts))
    assert many.as_dict("abcde") == one.as_dict("abcde")
    assert many.mistakes == one.mistakes
    assert one.estimates.keys() & ({"mAP", "mAP_charades"} if kind == "sigmoid" else {"macro_f1"})
    assert detail(merge(parts[:1])).as_dict("abcde") != one.as_dict("abcde")


def test_the_mean_over_classes_rests_on_the_groups_that_show_any():
    """Twenty of sixty videos show one of two classes each: the others only stand in their way."""
    generator = torch.Generator().manual_seed(5)
    labels = [(row % 2,) if row < 20 else () for row in range(60)]
    scores = torch.rand(60, 2, generator=generator).double()
    hot = torch.tensor([[k in own for k in range(2)] for own in labels])
    found = measure_detail(scores, labels, kind="sigmoid", groups=range(60), draws=200).estimates["mAP"]

    def mean(weights):
        return weighted_precisions(scores, hot, weights).nanmean(1, keepdim=True)

    (expected,) = estimates(mean, range(60), units=[20], draws=200)
    assert found == expected
