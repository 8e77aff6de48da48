"""What a test leaves behind: the result line, results.json, predictions.csv and failed.csv."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.config import Config
from vidtok.data.lists import Records
from vidtok.infer.evaluate import AGGREGATE_WORDS, Figures, Predictions


def result_line(config: Config, val: Records, figures: Figures, single: Figures, opposite: float | None) -> str:
    """Figures that carry their protocol: `motion val n=400 failed=0 | 4x3 views, mean logits | top1 0.985 …`"""
    protocol = f"{config.eval.clips}x{config.eval.crops} views, {AGGREGATE_WORDS[config.eval.aggregate]}"
    if config.eval.control != "none":
        protocol += f", control {config.eval.control}"
    parts = [
        f"{val.source.resolve().parent.name} {val.source.stem} n={figures.n} failed={figures.failed}",
        protocol,
        words(figures.values),
        f"1 view {words(single.values)}",
    ]
    if figures.failed:
        parts.append(f"readable only {words(figures.readable)}")
    if figures.empty_classes:
        parts.append(f"{figures.empty_classes} classes without a video left out")
    if opposite is not None and config.eval.opposites:
        parts.append(f"opposite {opposite:.3f}")
    return " | ".join(parts)


def words(figures: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in figures.items())


def opposite_share(
    scores: Float[Tensor, "n k"], predictions: Predictions, classes: Sequence[str], config: Config
) -> float | None:
    """Share of the videos, of classes that have an opposite, that are taken for that opposite."""
    pairs = {name: other for one, two in config.eval.opposites for name, other in ((one, two), (two, one))}
    counted = [
        (classes[int(row.argmax())], pairs[classes[label]])
        for row, own in zip(scores, predictions.labels, strict=True)
        for label in own
        if classes[label] in pairs
    ]
    return sum(predicted == wanted for predicted, wanted in counted) / len(counted) if counted else None


def write_predictions(
    path: Path, predictions: Predictions, scores: Float[Tensor, "n k"], classes: Sequence[str]
) -> None:
    """One row per readable video: its label (several joined by `;`), and the five or fewer best classes with scores."""
    best = scores.topk(min(5, len(classes)))
    rows: list[list[Any]] = []
    for i, (video_id, own) in enumerate(zip(predictions.video_ids, predictions.labels, strict=True)):
        row: list[Any] = [video_id, ";".join(classes[label] for label in own)]
        for score, k in zip(best.values[i].tolist(), best.indices[i].tolist(), strict=True):
            row += [classes[k], f"{score:.6f}"]
        rows.append(row)
    heads = [f"{what}_{place}" for place in range(1, best.values.shape[1] + 1) for what in ("class", "score")]
    write_csv(path, ["video", "label", *heads], rows)


def write_results(
    out: Path, config: Config, val: Records, figures: Mapping[str, Any], *, line: str, checkpoint: str
) -> None:
    """results.json: the figures with all that is needed to compare them with others."""
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "line": line,
        **figures,
        "protocol": {
            **config.eval.model_dump(mode="json"),
            "short_side": config.data.short_side,
            "size": config.data.size,
        },
        "backend": config.data.backend,
        "list": str(val.source),
        "list_sha256": hashlib.sha256(val.source.read_bytes()).hexdigest() if val.source.is_file() else None,
        "checkpoint": checkpoint,
        "versions": {"torch": str(torch.__version__)},
    }
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def write_failed(path: Path, predictions: Predictions) -> None:
    """One row per video that could not be decoded. An older list is removed where there is none."""
    path.unlink(missing_ok=True)
    if predictions.failures:
        write_csv(path, ["path", "cause"], [[str(failure.path), failure.cause] for failure in predictions.failures])


def write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    # Names that are not UTF-8 are escaped, so that others can read the file.
    with open(path, "w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        csv.writer(file).writerows([head, *rows])
