"""Results of a test as it leaves them, from scores that are known."""

import json
from pathlib import Path

import torch

from vidtok.data.lists import Records
from vidtok.infer.evaluate import Predictions
from vidtok.runs.figures import detail_of, mistake_rows
from vidtok.runs.results import write_scores
from vidtok.types import Failure


def write_scored(folder, scores, labels, classes, *, names=None, failed=(), groups=None, kind="softmax", root=None):
    """results.json and predictions.npz in `folder`; `failed` are the labels of videos that could not be decoded."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(names or [f"v{i}.mp4" for i in range(len(labels))])
    lost = [f"lost{i}.mp4" for i in range(len(failed))]
    root = Path(root or folder)
    val = Records([*names, *lost], [*labels, *failed], root=root, source=root / "val.csv")
    found = Predictions(
        indices=tuple(range(len(labels))),
        video_ids=tuple(names),
        labels=tuple(labels),
        logits=torch.zeros(len(labels), 1, len(classes)),
        failures=tuple(
            Failure(index=len(labels) + i, path=root / name, cause="broken", key=name) for i, name in enumerate(lost)
        ),
    )
    groups = groups or [*names, *lost]
    detail = detail_of(found, scores, val, groups, kind=kind)
    write_scores(folder / "predictions.npz", found, scores, classes, val=val, groups=groups)
    results = {
        "line": "motion val n=4 | top1 0.500",
        "figures": {"n": len(val), "failed": len(lost), "damaged": 0, "top1": 0.5},
        "single_view": {"top1": 0.25},
        "clips_only": {"top1": 0.375},
        "detail": detail.as_dict(classes),
        "mistakes": mistake_rows(detail, found, val, classes),
        "protocol": {"clips": 2, "crops": 3, "opposites": []},
    }
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return folder
