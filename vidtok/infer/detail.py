"""What a test says beyond its one figure: of each class, of confidence, of mistakes, and how sure the figures are."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from vidtok.infer.bootstrap import CONFIDENCE, DRAWS, Estimate, Smoothed, Statistic, estimate, estimates, smoothed
from vidtok.metrics import (
    Bin,
    ScoreKind,
    calibration_error,
    confusion,
    multi_hot,
    reliability,
    sunk,
    taken_for,
    top_k_hits,
    weighted_precisions,
)

WORK = 2 * 10**9
"""Videos x classes x draws of average precision that are worth an interval: some twenty seconds."""
FEWEST_DRAWS = 200
MISTAKES = 24
"""The most confident mistakes that are kept."""
PAIRS = 30
"""The most frequent confusions that are kept."""


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """The figures of one class; NaN where it has no video to count, or none was taken for it.

    accuracy: the share of its videos that are taken for it; precision: the share of what is taken for it that is of it;
    f1: their harmonic mean. They are None where videos have several labels; average precision where scores are those of
    a softmax.
    """

    videos: int
    accuracy: float | None
    precision: float | None
    f1: float | None
    average_precision: float | None
    average_precision_low: float | None = None
    """The ends of its interval, of a class that two groups of videos have at least."""
    average_precision_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A video, by its row among the readable ones, that was taken for a class that it does not show."""

    row: int
    taken_for: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Detail:
    """Videos that failed count as wrong everywhere but in the calibration, the mistakes and the confusions."""

    estimates: dict[str, Estimate]
    """By name: top1, top5, mean_class_accuracy, macro_f1 of single labels; mAP and mAP_charades of sigmoid scores."""
    draws: int
    units: int
    """What was drawn for the intervals: groups of videos that belong together."""
    rows: int
    calibration: float
    bins: tuple[Bin, ...]
    classes: tuple[ClassFigures, ...]
    counts: Int64[Tensor, "k k"] | None
    """How often each class (row) was taken for each (column); None where videos have several labels."""
    mistakes: tuple[Mistake, ...]
    """The most confident one first."""

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain values for JSON, with the names of the classes; None for what is not known. Mistakes stand apart."""
        pairs = [] if self.counts is None else confusions(self.counts, most=PAIRS)
        plain = {
            "figures": {name: each.as_dict() for name, each in self.estimates.items()},
            "calibration_error": self.calibration,
            "intervals": {"confidence": CONFIDENCE, "draws": self.draws, "drawn": self.units, "videos": self.rows},
            "reliability": [asdict(each) for each in self.bins],
            "classes": [{"class": name, **asdict(own)} for name, own in zip(names, self.classes, strict=True)],
            "confusions": [
                {"class": names[label], "taken_for": names[other], "videos": count} for label, other, count in pairs
            ],
        }
        return without_nan(plain)


def confusions(counts: Int64[Tensor, "k k"], *, most: int) -> list[tuple[int, int, int]]:
    """(class, taken for, videos) of different classes, the most frequent first, then in the classes' order."""
    wrong = counts.clone().fill_diagonal_(0)
    found = [(label, other, int(wrong[label, other])) for label, other in wrong.nonzero().tolist()]
    return sorted(found, key=lambda each: (-each[2], each[0], each[1]))[:most]


def without_nan(value: Any) -> Any:
    """The same plain value with None for every number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def measure_detail(
    scores: Float[Tensor, "n k"],
    labels: Sequence[tuple[int, ...]],
    *,
    kind: ScoreKind,
    groups: Sequence[Hashable],
    missed: Sequence[tuple[int, ...]] = (),
    missed_groups: Sequence[Hashable] = (),
    draws: int | None = None,
) -> Detail:
    """All figures of these videos, and of those that failed (`missed`: their labels), as `measure` counts them.

    `groups` says of each video what it belongs to, such as its person, or the long video that it was cut from.
    `draws` of the bootstrap: by default 1000, and fewer, 200 at least, for average precision over many videos and
    classes.
    """
    k, every = scores.shape[1], [*labels, *missed]
    if draws is None:
        worth = WORK // max(len(every) * k, 1) if kind == "sigmoid" else DRAWS
        draws = min(DRAWS, max(FEWEST_DRAWS, worth))
    single = all(len(own) == 1 for own in every)
    hot, own_groups = multi_hot(every, classes=k), [*groups, *missed_groups]
    found: dict[str, Estimate] = {}
    precisions = None
    if kind == "sigmoid" and every:
        last = torch.full((len(missed), k), -torch.inf, dtype=scores.dtype)
        whole = torch.cat([scores, last])
        found, precisions = _precisions(whole, hot, own_groups, draws=draws)
    counts = told = None
    if single:
        told = taken_for(scores, labels)
        truth = torch.tensor([own[0] for own in every], dtype=torch.int64)
        counts = confusion(told, truth[: len(scores)], classes=k)
        if every:
            of_single = _of_single_labels(scores, labels, truth, told, own_groups)
            found |= {name: estimate(each, own_groups, of=of, draws=draws) for name, (each, of) in of_single.items()}
    bins = _bins(scores, labels, told)
    return Detail(
        estimates=found,
        draws=draws,
        units=len(set(own_groups)),
        rows=len(every),
        calibration=calibration_error(bins),
        bins=bins,
        classes=_of_classes(hot, counts, precisions),
        counts=counts,
        mistakes=_mistakes(scores, labels, told),
    )


def _precisions(
    scores: Float[Tensor, "m k"], hot: Bool[Tensor, "m k"], groups: Sequence[Hashable], *, draws: int
) -> tuple[dict[str, Estimate], list[Estimate]]:
    """Both means of average precision, and that of each class."""
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    of = torch.tensor([places[group] for group in groups])
    shown, units = len(of[hot.any(1)].unique()), [len(of[own].unique()) for own in hot.T]
    low = sunk(scores, hot)

    def with_mean(weights: Float64[Tensor, "d m"]) -> Float64[Tensor, "d _"]:
        each = weighted_precisions(scores, hot, weights)
        return torch.cat([each.nanmean(1, keepdim=True), each], dim=1)

    def charades(weights: Float64[Tensor, "d m"]) -> Float64[Tensor, "d 1"]:
        return weighted_precisions(low, hot, weights, ties=False).nanmean(1, keepdim=True)

    mean, *classes = estimates(with_mean, groups, units=[shown, *units], draws=draws)
    (other,) = estimates(charades, groups, units=[shown], draws=draws)
    return {"mAP": mean, "mAP_charades": other}, classes


def _of_single_labels(
    scores: Float[Tensor, "n k"],
    labels: Sequence[tuple[int, ...]],
    truth: Int64[Tensor, "m"],
    told: Int64[Tensor, "n"],
    groups: Sequence[Hashable],
) -> dict[str, tuple[Statistic, Smoothed]]:
    """Figures of videos with one label each, the failed ones (m - n) behind the others, and what they are smoothed.

    F1 of a class moves with the share of its videos that are found, so that what is seen of one says it of the other.
    """
    k, failed = scores.shape[1], len(truth) - len(scores)

    def share(hits: Float64[Tensor, "m"]) -> tuple[Statistic, Smoothed]:
        whole = smoothed(hits.bool(), torch.zeros_like(truth), groups)
        return (lambda weights: weights @ hits / weights.sum(1)), whole

    def hits_of(most: int) -> Float64[Tensor, "m"]:
        return torch.cat([top_k_hits(scores, labels, k=most).double(), torch.zeros(failed, dtype=torch.float64)])

    def by_class(values: Float64[Tensor, "d m"], of: Int64[Tensor, "m"]) -> Float64[Tensor, "d k"]:
        return torch.zeros(len(values), k, dtype=torch.float64).index_add_(1, of, values)

    hits = hits_of(1)

    def mean_accuracy(weights: Float64[Tensor, "d m"]) -> Float64[Tensor, "d"]:
        return (by_class(weights * hits, truth) / by_class(weights, truth)).nanmean(1)

    def macro_f1(weights: Float64[Tensor, "d m"]) -> Float64[Tensor, "d"]:
        both = by_class(weights, truth) + by_class(weights[:, : len(told)], told)
        return (2 * by_class(weights * hits, truth) / both).nanmean(1)

    found = {"top1": share(hits)} | ({"top5": share(hits_of(5))} if k > 5 else {})
    of_classes = smoothed(hits.bool(), truth, groups)
    return {**found, "mean_class_accuracy": (mean_accuracy, of_classes), "macro_f1": (macro_f1, of_classes)}


def _of_classes(
    hot: Tensor, counts: Int64[Tensor, "k k"] | None, precisions: Sequence[Estimate] | None
) -> tuple[ClassFigures, ...]:
    videos = hot.sum(0).tolist()
    right = taken = None
    if counts is not None:
        right, taken = counts.diagonal().tolist(), counts.sum(0).tolist()

    def ratio(part: int, whole: int) -> float:
        return part / whole if whole else math.nan

    return tuple(
        ClassFigures(
            videos=n,
            accuracy=None if right is None else ratio(right[i], n),
            precision=None if right is None or taken is None else ratio(right[i], taken[i]),
            f1=None if right is None or taken is None else ratio(2 * right[i], n + taken[i]),
            average_precision=None if precisions is None else precisions[i].value,
            average_precision_low=None if precisions is None else precisions[i].low,
            average_precision_high=None if precisions is None else precisions[i].high,
        )
        for i, n in enumerate(videos)
    )


def _bins(
    scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], told: Int64[Tensor, "n"] | None
) -> tuple[Bin, ...]:
    """Of single labels the answers with their highest scores; of several each class of each video is an answer."""
    hot = multi_hot(labels, classes=scores.shape[1])
    if told is None:
        return reliability(scores.flatten(), hot.flatten())
    place = told[:, None]
    return reliability(scores.gather(1, place)[:, 0], hot.gather(1, place)[:, 0])


def _mistakes(
    scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], told: Int64[Tensor, "n"] | None
) -> tuple[Mistake, ...]:
    """Of each video the highest score of a class that it does not show, where that is what the video was taken for.

    With several labels: where it is a half at least.
    """
    hot = multi_hot(labels, classes=scores.shape[1])
    if told is None:
        best = scores.masked_fill(hot, -torch.inf).max(dim=1)
        place, score, wrong = best.indices, best.values, best.values >= 0.5
    else:
        place, score = told, scores.gather(1, told[:, None])[:, 0]
        wrong = ~hot.gather(1, told[:, None])[:, 0]
    rows = wrong.nonzero()[:, 0].tolist()
    found = [Mistake(row=row, taken_for=int(place[row]), score=float(score[row])) for row in rows]
    return tuple(sorted(found, key=lambda each: (-each.score, each.row))[:MISTAKES])
