"""The figures of a test in detail: what they are measured on, and how they are said."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.config import Config
from vidtok.data.groups import read_groups
from vidtok.data.lists import Records
from vidtok.infer.bootstrap import CONFIDENCE
from vidtok.infer.detail import Detail, measure_detail
from vidtok.infer.evaluate import Predictions
from vidtok.runs.results import figure_words

FIGURE_WORDS = {
    "top1": "top1",
    "top5": "top5",
    "mean_class_accuracy": "mean class accuracy",
    "macro_f1": "macro F1",
    "mAP": "mAP",
    "mAP_charades": "mAP, charades",
}


def groups_of(config: Config, val: Records) -> list[Hashable]:
    """What each record belongs to: as `eval.group` says, or the file that it is a part of."""
    if config.eval.group is None:
        return [str(record.path) for record in val]
    return read_groups(val, range(len(val)), config.eval.group)


def detail_of(
    predictions: Predictions,
    scores: Float[Tensor, "n k"],
    val: Records,
    groups: Sequence[Hashable],
    *,
    kind: ScoreKind,
) -> Detail:
    """All figures of a test's videos; `groups` are those of the list."""
    missed = [failure.index for failure in predictions.failures]
    return measure_detail(
        scores,
        predictions.labels,
        kind=kind,
        groups=[groups[row] for row in predictions.indices],
        missed=[val[row].labels for row in missed],
        missed_groups=[groups[row] for row in missed],
    )


def figure_lines(detail: Detail, views: Mapping[str, Mapping[str, float]], *, grouped: bool) -> list[str]:
    """The table that a test prints above its line.

    figure                value   95 % interval, 1000 draws of 17 videos
    top1                  0.412   0.211 … 0.647
    …
    calibration error     0.081
    by views: 1 top1 0.353 | 2 clips top1 0.412 | 2x3 top1 0.412
    """
    if not detail.estimates:
        return []
    unit = "groups" if grouped else "videos"
    lines = [f"{'figure':<20} {'value':>6}   {CONFIDENCE:.0%} interval, {detail.draws} draws of {detail.units} {unit}"]
    for name, each in detail.estimates.items():
        around = "" if each.low is None or each.high is None else f"   {each.low:.3f} … {each.high:.3f}"
        lines.append(f"{FIGURE_WORDS[name]:<20} {each.value:6.3f}{around}")
    if detail.bins:
        lines.append(f"{'calibration error':<20} {detail.calibration:6.3f}")
    return [*lines, "by views: " + " | ".join(f"{name} {figure_words(values)}" for name, values in views.items())]


def mistake_rows(
    detail: Detail, predictions: Predictions, val: Records, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The most confident mistakes with all that finds them again: the file, and the part of it."""
    rows = []
    for each in detail.mistakes:
        record = val[predictions.indices[each.row]]
        rows.append(
            {
                "video": record.key,
                "path": str(record.path),
                "start_seconds": record.start_seconds,
                "end_seconds": record.end_seconds,
                "fps": record.fps,
                "labels": [classes[label] for label in record.labels],
                "taken_for": classes[each.taken_for],
                "score": each.score,
            }
        )
    return rows
