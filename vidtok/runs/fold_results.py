"""What the folds of a cross-validation found, put together: the table, the mean, all predictions, what to do next."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vidtok.data.folds import FoldTable
from vidtok.runs.parts import PartRun
from vidtok.runs.results import write_class_figures, write_rows
from vidtok.text.arrays import read_arrays
from vidtok.viz.confusion import scores_confusion

SPREAD = "standard deviation over the folds (divisor n - 1)"


def part_results(part: PartRun) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name of the figure that counts, all figures with all views, and with a single one."""
    content = json.loads(part.results.read_text(encoding="utf-8"))
    figures, single = content["figures"], content["single_view"]
    return next(name for name in figures if name not in ("n", "failed", "damaged")), figures, single


def finish(
    parts: Sequence[PartRun],
    table: FoldTable,
    seeds: Sequence[int],
    whole: Path,
    *,
    folds: Sequence[str],
    allow_missing: bool,
) -> int:
    """Print the table and the last line, write results.json and what all folds have together; the exit status."""
    rows = []
    for part, (fold, seed) in zip(parts, [(fold, seed) for seed in seeds for fold in folds], strict=True):
        name, figures, single = part_results(part)
        rows.append({"fold": fold, "seed": seed, **figures, "single_view": single[name], "folder": str(part.folder)})
    name = part_results(parts[0])[0]
    by_fold = {fold: [row for row in rows if row["fold"] == fold] for fold in folds}
    fold_means = {fold: statistics.fmean(row[name] for row in own) for fold, own in by_fold.items()}
    seed_means = {seed: statistics.fmean(row[name] for row in rows if row["seed"] == seed) for seed in seeds}
    mean = statistics.fmean(fold_means.values())
    spread = statistics.stdev(fold_means.values()) if len(folds) > 1 else None

    print(" ".join(["fold", *(f"{f'seed {seed}':>8}" for seed in seeds), "  videos"]))
    for fold, own in by_fold.items():
        print(" ".join([f"{fold:>4}", *(f"{row[name]:8.3f}" for row in own), f"{own[0]['n']:8}"]))
    tested = sum(own[0]["n"] for own in by_fold.values())
    print(" ".join(["mean", *(f"{seed_means[seed]:8.3f}" for seed in seeds), f"{tested:8}"]))
    failed = sum(row["failed"] for row in rows)
    if failed:
        print(f"{failed} videos could not be decoded and count as wrong; test/failed.csv of each fold lists them")
    of_seeds = f" and {len(seeds)} seeds" if len(seeds) > 1 else ""
    spread_is = f"{SPREAD} of the mean over the seeds" if len(seeds) > 1 else SPREAD
    of_all = "" if len(folds) == len(table.folds) else f" of {len(table.folds)}"
    around = "" if spread is None else f" ± {spread:.2f}"
    line = f"mean {name} {mean:.2f}{around} over {len(folds)}{of_all} folds{of_seeds}"
    results = {
        "line": line,
        "figure": name,
        "mean": mean,
        "spread": spread,
        "spread_is": spread_is,
        "failed": failed,
        "seeds": {str(seed): value for seed, value in seed_means.items()},
        "folds": fold_means,
        "runs": rows,
        "list": str(table.source),
    }
    (whole / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"{whole / 'results.json'}" + (f" | ± is the {spread_is}" if spread is not None else ""))
    for text in pool(parts, rows, whole):
        print(text)
    for text in next_steps(rows, whole, folds=folds, table=table):
        print(text)
    print(line, flush=True)
    return 1 if failed and not allow_missing else 0


def pool(parts: Sequence[PartRun], rows: Sequence[Mapping[str, Any]], whole: Path) -> list[str]:
    """All folds' predictions in one predictions.csv, with `correct`, and their confusion matrix; what was written."""
    files = [(part, row, part.folder / "test" / "predictions.npz") for part, row in zip(parts, rows, strict=True)]
    if not all(file.is_file() for _, _, file in files):
        return []  # tested before there were such files
    lines, scores, labels, classes = [], [], [], []
    for _, row, file in files:
        arrays = read_arrays(file)
        classes = arrays["classes"].tolist()
        own, hot = torch.from_numpy(arrays["scores"]), torch.from_numpy(arrays["labels"])
        for video, each, has in zip(arrays["video"].tolist(), own, hot, strict=True):
            best = int(each.argmax())
            names = ";".join(name for name, yes in zip(classes, has.tolist(), strict=True) if yes)
            score = f"{float(each[best]):.6f}"
            lines.append([row["seed"], row["fold"], video, names, int(has[best]), classes[best], score])
        scores.append(own)
        labels += [tuple(each.nonzero()[:, 0].tolist()) for each in hot]
    write_rows(
        whole / "predictions.csv",
        ["seed", "fold", "video", "label", "correct", "class_1", "score_1"],
        sorted_wrong(lines),
    )
    if not lines:
        return [f"predictions: {whole / 'predictions.csv'}"]
    write_class_figures(whole, torch.cat(scores), labels, classes)
    wrong = sum(not line[4] for line in lines)
    heading = f"all folds: {len(lines) - wrong} of {len(lines)} right"
    picture = scores_confusion(torch.cat(scores), labels, classes, heading=heading)
    said = [
        f"predictions: {whole / 'predictions.csv'} ({wrong} of {len(lines)} wrong, those first), classes.csv beside it"
    ]
    if picture is not None:
        picture.save(whole / "confusion.png")
        said.append(f"confusion: {whole / 'confusion.png'}, confusion.csv")
    return said


def sorted_wrong(lines: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The wrong ones first, the surest of them before the others: where to look."""
    return sorted(lines, key=lambda line: (line[4], -float(line[6]) if not line[4] else 0.0))


def next_steps(rows: Sequence[Mapping[str, Any]], whole: Path, *, folds: Sequence[str], table: FoldTable) -> list[str]:
    """What can be done with this."""
    said = []
    if missing := [fold for fold in table.folds if fold not in folds]:
        said.append(f"next: the same command without --folds goes on with folds {', '.join(missing)}")
    said.append(
        f"next: vidtok visualize --checkpoint {rows[0]['folder']} VIDEO shows where a fold's network looks; for a "
        f"network to use, train once on all videos with vidtok train (the figure above is what to expect of it)"
    )
    return said
