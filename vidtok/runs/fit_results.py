"""What a fit leaves beside its model: fit.json, the scores of videos that were left out, and the page of both."""

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.data.lists import Records
from vidtok.infer.detail import Detail
from vidtok.infer.evaluate import Predictions
from vidtok.metrics import to_scores
from vidtok.runs.figures import detail_of, mistake_rows
from vidtok.runs.results import write_scores
from vidtok.runs.run_report import write_report


def write_fit(
    folder: Path,
    content: Mapping[str, Any],
    *,
    records: Records,
    rows: Sequence[int],
    labels: Sequence[tuple[int, ...]],
    groups: Sequence[Hashable],
    logits: Float[Tensor, "n k"],
    classes: Sequence[str],
    kind: ScoreKind,
) -> Detail:
    """fit.json with `content` and all figures, predictions.npz and report.html, as a test has them.

    `rows` of the list are the videos that were read, whose labels, groups and logits these are; each video's logits are
    those of a probe that has not seen it.
    """
    scores = to_scores(logits, kind=kind).float()
    found = Predictions(
        indices=tuple(rows),
        video_ids=tuple(records[row].video_id for row in rows),
        labels=tuple(labels),
        logits=logits[:, None],
        failures=(),
    )
    of_all: list[Hashable] = [None] * len(records)
    for row, group in zip(rows, groups, strict=True):
        of_all[row] = group
    detail = detail_of(found, scores, records, of_all, kind=kind)
    write_scores(folder / "predictions.npz", found, scores, classes, val=records, groups=of_all)
    whole = {
        **content,
        "detail": detail.as_dict(classes),
        "mistakes": mistake_rows(detail, found, records, classes),
    }
    (folder / "fit.json").write_text(json.dumps(whole, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    write_report(folder)
    return detail
