"""Runs side by side: their figures, whether they differ by more than chance, and on which videos."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vidtok.errors import DataError
from vidtok.infer.bootstrap import CONFIDENCE, DRAWS, Estimate, Smoothed, Statistic, estimate, smoothed
from vidtok.infer.paired import Difference, mcnemar, paired_bootstrap
from vidtok.metrics import taken_for, top_k_hits, weighted_precisions
from vidtok.runs.results import write_rows
from vidtok.runs.run_report import find_results
from vidtok.text.arrays import read_arrays

SHOWN = 20
"""Videos on which runs differ that are said."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a run said of each video, in the order of their keys; a video that failed has the lowest of all scores."""

    name: str
    keys: tuple[str, ...]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    scores: Float[Tensor, "n k"]
    labels: Bool[Tensor, "n k"]

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """The labels of each video."""
        return [tuple(row.nonzero()[:, 0].tolist()) for row in self.labels]

    @property
    def single(self) -> bool:
        return bool((self.labels.sum(1) == 1).all())

    @property
    def hits(self) -> Bool[Tensor, "n"]:
        """Whether the highest score is that of the video's label."""
        return top_k_hits(self.scores, self.rows, k=1)

    def statistic(self) -> Statistic:
        """Top-1 of single labels, mean average precision of others, by how often each video is drawn."""
        if self.single:
            hits = self.hits.double()
            return lambda weights: weights @ hits / weights.sum(1)
        return lambda weights: weighted_precisions(self.scores, self.labels, weights).nanmean(1)

    def smoothed(self, groups: Sequence[str]) -> Smoothed | None:
        """Of top-1; None where there are several labels."""
        return smoothed(self.hits, torch.zeros(len(self.keys), dtype=torch.int64), groups) if self.single else None

    def units(self, groups: Sequence[str]) -> int:
        """The groups that the figure rests on: in mean average precision those that show a class, as in a test."""
        shown = self.labels.any(1).tolist()
        return len({group for group, counts in zip(groups, shown, strict=True) if counts or self.single})

    def says(self, row: int) -> str:
        """The class that a video is taken for, and its score; or that it could not be decoded."""
        if not bool(self.scores[row].isfinite().any()):
            return "not decoded"
        best = int(taken_for(self.scores[row : row + 1], [self.rows[row]])[0])
        return f"{self.classes[best]} {float(self.scores[row, best]):.2f}"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A run beside the first one."""

    name: str
    figure: Estimate
    difference: Difference | None
    """Of the first run itself None."""
    first_alone: int = 0
    second_alone: int = 0
    """Videos that one of the two alone gets right; of single labels."""


def run_compare(runs: Sequence[str | Path], *, out: str | Path | None = None) -> list[Compared]:
    """Print a table of the runs and the videos on which they differ; `out` takes all of these as a table.

    The first run is what the others are compared with. Differences in accuracy are tested by McNemar's exact test,
    which takes videos for independent, in mean average precision by a paired bootstrap over the groups of videos;
    intervals are the bootstrap's in both cases. Raises DataError for other videos, labels or classes, naming them.
    """
    if len(runs) < 2:
        raise DataError("compare sets two runs at least side by side")
    first, *others = [read_scores(run) for run in runs]
    others = [aligned(each, first) for each in others]
    compared = [compare(first, each) for each in (first, *others)]
    figure = "top1" if first.single else "mAP"
    units = len(set(first.groups))
    counted = f"{len(first.keys)} videos in {units} groups, {len(first.classes)} classes"
    print(f"{counted} | {figure} with its {CONFIDENCE:.0%} interval, {DRAWS} draws")
    width = max(len(each.name) for each in compared)
    for each in compared:
        print(line_of(each, width=width, single=first.single))
    rows = differing(first, others)
    if len(runs) > 2:
        print(f"each p is that of one pair; with {len(others)} pairs one below {0.05 / len(others):.3f} tells")
    if first.single:
        print(f"{len(rows)} videos are right in some and wrong in others")
        for row in rows[:SHOWN]:
            says = " | ".join(each.says(row) for each in (first, *others))
            print(f"  {first.keys[row]}: {_named(first, row)} | {says}")
        if len(rows) > SHOWN:
            print(f"  and {len(rows) - SHOWN} more" + ("" if out else "; --out FILE.csv has all of them"))
    if out is not None:
        heads = ["video", "label", *(each.name for each in (first, *others))]
        table = [[first.keys[row], _named(first, row), *(each.says(row) for each in (first, *others))] for row in rows]
        write_rows(Path(out), heads, table)
        print(f"{out}: {len(rows)} videos")
    return compared


def _named(scored: Scored, row: int) -> str:
    return ";".join(scored.classes[label] for label in scored.rows[row])


def read_scores(run: str | Path) -> Scored:
    """The scores of a run, a test or a fit; DataError where there are none, or of an older version."""
    file = find_results(run) / "predictions.npz"
    read = read_arrays(file)
    if missing := {"key", "group", "failed", "failed_labels", "failed_group"} - read.keys():
        raise DataError(f"{file}: written by an older version (it has no {sorted(missing)[0]!r}): test it again")
    failed = np.full((len(read["failed"]), len(read["classes"])), -np.inf, dtype=np.float32)
    keys = [*read["key"].tolist(), *read["failed"].tolist()]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    groups = [*read["group"].tolist(), *read["failed_group"].tolist()]
    if not keys:
        raise DataError(f"{file}: holds no video")
    if twice := next((keys[a] for a, b in pairwise(order) if keys[a] == keys[b]), None):
        raise DataError(f"{file}: {twice} stands in it more than once, so that videos cannot be paired")
    return Scored(
        name=str(run),
        keys=tuple(keys[row] for row in order),
        classes=tuple(read["classes"].tolist()),
        groups=tuple(groups[row] for row in order),
        scores=torch.from_numpy(np.concatenate([read["scores"], failed])[order]),
        labels=torch.from_numpy(np.concatenate([read["labels"], read["failed_labels"]])[order]),
    )


def aligned(scored: Scored, first: Scored) -> Scored:
    """The same with its classes in the first one's order; DataError where classes, videos or labels are others."""
    both = f"{first.name} and {scored.name}"
    _same(first.classes, scored.classes, both, "class")
    _same(first.keys, scored.keys, both, "video")
    order = [scored.classes.index(name) for name in first.classes]
    moved = replace(scored, classes=first.classes, scores=scored.scores[:, order], labels=scored.labels[:, order])
    if other := (moved.labels != first.labels).any(1).nonzero()[:, 0].tolist():
        row = other[0]
        raise DataError(
            f"{both}: {len(other)} videos have other labels, such as {first.keys[row]}: {_named(first, row)!r} and "
            f"{_named(moved, row)!r}"
        )
    return moved


def _same(one: Sequence[str], other: Sequence[str], both: str, what: str) -> None:
    left, right = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    if left or right:
        plural = f"{what}s" if what == "video" else f"{what}es"
        parts = [f"{len(names)} only in the {place} ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"
                 for names, place in ((left, "first"), (right, "second")) if names]  # fmt: skip
        raise DataError(f"{both} cannot be compared: their {plural} differ: {', '.join(parts)}")


def compare(first: Scored, second: Scored) -> Compared:
    """One run beside the first, whose groups are those that are drawn."""
    own, of, units = second.statistic(), second.smoothed(first.groups), second.units(first.groups)
    figure = estimate(own, first.groups, of=of, units=units)
    if second is first:
        return Compared(name=first.name, figure=figure, difference=None)
    both = (first.smoothed(first.groups), of)
    difference = paired_bootstrap(first.statistic(), own, first.groups, of=both, units=units)
    if not first.single:
        return Compared(name=second.name, figure=figure, difference=difference)
    alone, other = int((first.hits & ~second.hits).sum()), int((second.hits & ~first.hits).sum())
    tested = replace(difference, p=mcnemar(alone, other))
    return Compared(name=second.name, figure=figure, difference=tested, first_alone=alone, second_alone=other)


def differing(first: Scored, others: Sequence[Scored]) -> list[int]:
    """The videos that some runs get right and others wrong; with several labels none are named."""
    if not first.single:
        return []
    hits = torch.stack([each.hits for each in (first, *others)])
    return (hits.any(0) & ~hits.all(0)).nonzero()[:, 0].tolist()


def line_of(compared: Compared, *, width: int, single: bool) -> str:
    """A row of the table: `runs/b   0.850  0.79 … 0.90 | +0.050  0.01 … 0.09  p 0.021 (McNemar, 3 against 13)`."""
    words = f"{compared.name:<{width}}  {_ends(compared.figure.value, compared.figure)}"
    difference = compared.difference
    if difference is None:
        return words
    test = f"McNemar, {compared.first_alone} against {compared.second_alone}" if single else "paired bootstrap"
    return f"{words} | {_ends(difference.value, difference, sign='+')}  p {difference.p:.3g} ({test})"


def _ends(value: float, of: Estimate | Difference, *, sign: str = "") -> str:
    around = "" if of.low is None or of.high is None else f"  {of.low:{sign}.3f} … {of.high:{sign}.3f}"
    return f"{value:{sign}.3f}{around}"
