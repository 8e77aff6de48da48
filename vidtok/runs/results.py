"""What a test leaves behind: the result line, results.json, predictions.csv, failed.csv and damaged.csv."""

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.build_data import eval_views
from vidtok.config import Config
from vidtok.data.lists import Records
from vidtok.infer.evaluate import AGGREGATE_WORDS, Figures, Predictions
from vidtok.metrics import average_precision, confusion, multi_hot


def result_line(
    config: Config,
    val: Records,
    figures: Figures,
    single: Figures,
    opposite: float | None,
    *,
    largest_class: float | None = None,
    charades: float | None = None,
) -> str:
    """Figures that carry their protocol: `motion val n=400 failed=0 | 4x3 views, mean logits | top1 0.985 …`

    `largest_class` is the share of the videos that the largest class has: what naming it every time would reach.
    `charades` is the mAP by Charades' own script.
    """
    most = "up to " if config.data.sampling == "pytorchvideo_uniform" else ""
    protocol = f"{most}{config.eval.clips}x{config.eval.crops} views, {AGGREGATE_WORDS[config.eval.aggregate]}"
    if config.eval.protocol is not None:
        protocol = f"{config.eval.protocol}: {protocol}"
    if config.data.fit != "crop":
        protocol += f", whole pictures ({config.data.fit})"
    if config.eval.control != "none":
        protocol += f", control {config.eval.control}"
    damaged = f" damaged={figures.damaged}" if figures.damaged else ""
    parts = [
        f"{val.source.resolve().parent.name} {val.source.stem} n={figures.n} failed={figures.failed}{damaged}",
        protocol,
        figure_words(figures.values if charades is None else {**figures.values, "mAP_charades": charades}),
        f"1 view {figure_words(single.values)}",
    ]
    if largest_class is not None:
        parts.append(f"largest class {largest_class:.3f}")
    if figures.failed:
        parts.append(f"readable only {figure_words(figures.readable)}")
    if figures.empty_classes:
        parts.append(f"{figures.empty_classes} classes without a video left out")
    if opposite is not None and config.eval.opposites:
        parts.append(f"opposite {opposite:.3f}")
    return " | ".join(parts)


def largest_share(labels: Sequence[tuple[int, ...]]) -> float | None:
    """The share of the videos that the largest class has; None without a video, or where one has several labels."""
    if not labels or any(len(own) != 1 for own in labels):
        return None
    return max(Counter(own[0] for own in labels).values()) / len(labels)


def figure_words(figures: Mapping[str, float]) -> str:
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
    write_rows(path, ["video", "label", *heads], rows)


def write_results(
    out: Path, config: Config, val: Records, figures: Mapping[str, Any], *, line: str, checkpoint: str
) -> None:
    """results.json: the figures with all that is needed to compare them with others."""
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "line": line,
        **figures,
        "protocol": protocol(config),
        "backend": config.data.backend,
        "list": str(val.source),
        "list_sha256": hashlib.sha256(val.source.read_bytes()).hexdigest() if val.source.is_file() else None,
        "checkpoint": checkpoint,
        "versions": {"torch": str(torch.__version__)},
    }
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def protocol(config: Config) -> dict[str, Any]:
    """How a test is made, as results.json has it."""
    data, views = config.data, eval_views(config)
    return {
        **config.eval.model_dump(mode="json"),
        "short_side": views.short_side,
        "sampling": views.clip.sampling,
        "fit": data.fit,
        "size": data.size if isinstance(data.size, int) else list(data.size),
    }


# What of a protocol changes the figures.
TELLING = ("protocol", "clips", "crops", "aggregate", "control", "opposites", "short_side", "fit", "size")


def is_result_of(path: Path, config: Config) -> bool:
    """Whether a results.json is that of this config's own test: its views and control, and its list as it is now."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        there, here = results["protocol"], protocol(config)
        same = all(there.get(key, "crop" if key == "fit" else None) == here[key] for key in TELLING)
        source = Path(config.data.val)
        digest = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else None
        return same and (digest is None or results["list_sha256"] == digest)
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False  # not there, cut off, or of another form: then it is made again


def write_scores(
    path: Path,
    predictions: Predictions,
    scores: Float[Tensor, "n k"],
    classes: Sequence[str],
    *,
    val: Records,
    groups: Sequence[Hashable],
) -> None:
    """All scores: arrays video (n), classes (k), scores (n, k), labels (n, k; whether the video has the class).

    key (n) tells records apart, the parts of one video too, group (n) says what belongs together; failed (m),
    failed_labels (m, k) and failed_group (m) are those of the videos that could not be decoded.
    """
    missed = [failure.index for failure in predictions.failures]
    np.savez_compressed(
        path,
        video=_texts(predictions.video_ids),
        key=_texts([val[row].key for row in predictions.indices]),
        group=_texts([str(groups[row]) for row in predictions.indices]),
        classes=_texts(classes),
        scores=scores.float().numpy(),
        labels=multi_hot(predictions.labels, classes=len(classes)).numpy(),
        failed=_texts([val[row].key for row in missed]),
        failed_labels=multi_hot([val[row].labels for row in missed], classes=len(classes)).numpy(),
        failed_group=_texts([str(groups[row]) for row in missed]),
    )


def _texts(values: Sequence[str]) -> np.ndarray:
    """An array of text, of no rows too. Names that are not UTF-8 are escaped, as in the tables."""
    return np.array([value.encode("utf-8", "backslashreplace").decode() for value in values], dtype=str)


def write_class_figures(
    out: Path, scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], classes: Sequence[str]
) -> None:
    """classes.csv, the figures of each class, and for single labels confusion.csv: a row is what a class was taken for.

    recall: the share of the class's videos that are taken for it (its accuracy); precision: the share of what is taken
    for it that is of it; f1: their harmonic mean. With several labels: average precision. Readable videos alone; a
    figure without a video to count stays empty.
    """
    single = bool(labels) and all(len(own) == 1 for own in labels)
    if not single:
        (out / "confusion.csv").unlink(missing_ok=True)
        counted = multi_hot(labels, classes=len(classes)).sum(0).tolist()
        found = average_precision(scores, labels).tolist() if labels else [float("nan")] * len(classes)
        rows = [[name, n, _figure(value)] for name, n, value in zip(classes, counted, found, strict=True)]
        write_rows(out / "classes.csv", ["class", "videos", "average_precision"], rows)
        return
    truth = torch.tensor([own[0] for own in labels])
    counts = confusion(scores.argmax(1), truth, classes=len(classes))
    right, own, taken = counts.diagonal().double(), counts.sum(1).double(), counts.sum(0).double()
    figures = torch.stack([right / own, right / taken, 2 * right / (own + taken)], dim=1)
    rows = [
        [name, int(n), *map(_figure, each)]
        for name, n, each in zip(classes, own.tolist(), figures.tolist(), strict=True)
    ]
    write_rows(out / "classes.csv", ["class", "videos", "recall", "precision", "f1"], rows)
    matrix = [[name, *row] for name, row in zip(classes, counts.tolist(), strict=True)]
    write_rows(out / "confusion.csv", ["class", *classes], matrix)


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def write_failed(path: Path, predictions: Predictions) -> None:
    """One row per video that could not be decoded. An older list is removed where there is none."""
    path.unlink(missing_ok=True)
    if predictions.failures:
        write_rows(path, ["path", "cause"], [[str(failure.path), failure.cause] for failure in predictions.failures])


def write_damaged(path: Path, predictions: Predictions) -> None:
    """One row per video of which damaged frames were used. An older list is removed where there is none."""
    path.unlink(missing_ok=True)
    if predictions.damaged:
        rows = [[str(damaged.path), damaged.frames] for damaged in predictions.damaged]
        write_rows(path, ["path", "damaged_frames"], rows)


def write_rows(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    # Names that are not UTF-8 are escaped, so that others can read the file.
    with open(path, "w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        csv.writer(file).writerows([head, *rows])
