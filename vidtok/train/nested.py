"""How good a probe is on videos that it has not seen: everything that is chosen is chosen within what is trained on."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.data.divide import divide
from vidtok.metrics import score_interval
from vidtok.train.probe import fit_probe, held_out, one_hot, parts_of

INNER, DIVISIONS, JUDGED = 4, 5, 1500
"""Folds in which features and penalty are chosen; seeded divisions into them, whose figures are averaged, at most; as
many videos left out in all of these make fewer of them enough."""
BOOTSTRAP = 1000

Features = Mapping[str, Float[Tensor, "n _"]]


@dataclass(frozen=True, kw_only=True)
class Videos:
    """What is known of the videos, row by row: labels, the group that stays together, and the fold."""

    labels: Sequence[tuple[int, ...]]
    groups: Sequence[Hashable]
    folds: Sequence[int]
    classes: int

    @property
    def targets(self) -> Float[Tensor, "n k"]:
        return one_hot(self.labels, self.classes)

    def subset(self, rows: Sequence[int]) -> "Videos":
        """Some of the videos, in this order."""
        return Videos(
            labels=[self.labels[row] for row in rows],
            groups=[self.groups[row] for row in rows],
            folds=[self.folds[row] for row in rows],
            classes=self.classes,
        )

    def can_halve(self) -> bool:
        """Whether half of what each fold trains on still has two groups, one of which can be left out."""
        return all(
            len({group for group, own in zip(self.groups, self.folds, strict=True) if own != fold}) >= 4
            for fold in set(self.folds)
        )

    def inner(self, rows: Sequence[int], *, folds: int = INNER, seed: int) -> tuple[int, ...]:
        """A division of some of the rows, groups kept together; where all are of one group, the videos are divided.

        What is chosen by it then fits that group, which makes the figure of what was left out no better.
        """
        labels, groups = [self.labels[row] for row in rows], [self.groups[row] for row in rows]
        if len(set(groups)) == 1:
            groups = list(rows)
        return divide(labels, groups, folds=max(2, min(folds, len(set(groups)))), seed=seed)

    def choosing(self, rows: Sequence[int], *, seed: int) -> list[tuple[int, ...]]:
        """The divisions of these rows by which a probe on them is chosen: fewer for many rows."""
        count = min(DIVISIONS, math.ceil(JUDGED / len(rows)))
        return [self.inner(rows, seed=seed + number) for number in range(count)]


def left_out_logits(
    features: Mapping[str, Features],
    videos: Videos,
    *,
    kind: ScoreKind,
    among: Sequence[str] | None = None,
    seed: int = 0,
    share: int = 1,
) -> dict[str, Float[Tensor, "n k"]]:
    """The logits of every video by a probe that was chosen and fitted without its fold.

    `features` are those of the clips as they are, under the first key, which the probe is made from, and of the same
    clips under controls. `among`: see `fit_probe`. `share`: fit on one part in so many of what a fold trains on.
    """
    plain = next(iter(features))
    targets = videos.targets
    logits = {control: torch.zeros_like(targets) for control in features}
    for out in held_out(videos.folds):
        rows = (~out).nonzero().flatten().tolist()
        if share > 1:
            parts = videos.inner(rows, folds=share, seed=seed)
            rows = [row for row, part in zip(rows, parts, strict=True) if part == 0]
        kept = torch.tensor(rows)
        own = {name: x[kept] for name, x in features[plain].items()}
        choice, layer = fit_probe(own, targets[kept], videos.choosing(rows, seed=seed), kind=kind, among=among)
        for control, each in features.items():
            logits[control][out] = layer(torch.cat(parts_of(each, choice.features), dim=1)[out])
    return logits


def standard_error(hits: Sequence[bool], groups: Sequence[Hashable], *, seed: int = 0) -> float:
    """Of an accuracy, from groups drawn with repetition, since videos of one group are not independent.

    Half the width of Wilson's interval one standard error to either side, which is not 0 where all are right.
    """
    members: dict[Hashable, list[bool]] = {}
    for hit, group in zip(hits, groups, strict=True):
        members.setdefault(group, []).append(hit)
    sums = np.array([[sum(own), len(own)] for own in members.values()], dtype=float)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(BOOTSTRAP, len(sums)))
    totals = sums[drawn].sum(axis=1)
    share, variance = sum(hits) / len(hits), float((totals[:, 0] / totals[:, 1]).var())
    count = share * (1 - share) / variance if variance > 0 else float(len(sums))
    low, high = score_interval(share, count=count, reach=1.0)
    return (high - low) / 2
