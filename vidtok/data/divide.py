"""Records divided into folds: groups stay together, and every fold gets its share of each class."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from vidtok.errors import DataError


def divide(
    labels: Sequence[tuple[int, ...]], groups: Sequence[Hashable], *, folds: int, seed: int = 0
) -> tuple[int, ...]:
    """The fold of each record, 0 to folds - 1.

    Records of the same group (a person, a video that several clips were cut from) share a fold. Groups are dealt out
    from the largest to the smallest, each to the fold in which it lacks most of its classes; equal ones by `seed`.
    Raises DataError where there are fewer groups than folds.
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    if folds < 2 or len(members) < folds:
        raise DataError(
            f"{folds} folds of {len(labels)} videos in {len(members)} groups: at least two folds, and a group for each"
        )
    wanted = Counter(label for own in labels for label in own)
    rng = np.random.default_rng(seed)
    order = list(members)
    rng.shuffle(order)  # groups of one size come in another order with another seed
    order.sort(key=lambda group: -len(members[group]))
    held = [Counter[int]() for _ in range(folds)]
    sizes = [0] * folds
    chosen = [0] * len(labels)
    for group in order:
        counts = Counter(label for row in members[group] for label in labels[row])
        # What a fold still lacks of the group's classes, in shares of a fold's due; then the emptier fold.
        lacks = [
            sum(count * (1 - held[fold][label] * folds / wanted[label]) for label, count in counts.items())
            for fold in range(folds)
        ]
        best = max(range(folds), key=lambda fold: (round(lacks[fold], 9), -sizes[fold], -fold))
        held[best].update(counts)
        sizes[best] += len(members[group])
        for row in members[group]:
            chosen[row] = best
    return tuple(chosen)
