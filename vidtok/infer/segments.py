"""From the scores of windows to segments: the labelling of a video that scores highest, none of its parts too short."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, Float64, Int64

from vidtok.choices import ScoreKind
from vidtok.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a video and the class that it shows; `score` is that class's mean over it."""

    start_seconds: float
    end_seconds: float
    label: int
    score: float

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, kw_only=True)
class ScoredCells:
    """A video in pieces, each with the scores of one window: the pieces of one shot have one number in `shots`."""

    edges: Float64[np.ndarray, "n_1"]
    shots: Int64[np.ndarray, "n"]
    scores: Float[np.ndarray, "n k"]


def make_cells(
    starts: Float64[np.ndarray, "w"],
    ends: Float64[np.ndarray, "w"],
    scores: Float[np.ndarray, "w k"],
    *,
    begin: float,
    end: float,
    cuts: Sequence[float] = (),
) -> ScoredCells:
    """Pieces that lie around the centres of the windows, up to the middles between them, and are divided at the cuts.

    windows   |-----a-----|                       a piece has the scores of the window that lies in its shot with
                  |-----b-----|                   the most of itself, of several the one whose centre is nearest:
    cut                    :                      without cuts, the window around which it lies
    pieces    |   a   | b  : c |
    """
    centres = (starts + ends) / 2
    middles = (centres[1:] + centres[:-1]) / 2
    inside = [time for time in sorted({*middles.tolist(), *cuts}) if begin < time < end]
    edges = np.array([begin, *inside, end])
    bounds = np.array([begin, *sorted(time for time in cuts if begin < time < end), end])
    places = (edges[:-1] + edges[1:]) / 2
    shots = np.searchsorted(bounds, places, side="right") - 1
    chosen = np.empty(len(places), np.int64)
    for shot in np.unique(shots):
        own = shots == shot
        shared = np.minimum(ends, bounds[shot + 1]) - np.maximum(starts, bounds[shot])
        share = np.maximum(shared, 0) / (ends - starts)
        best = np.flatnonzero(share >= share.max() - 1e-6)
        chosen[own] = best[_nearest(centres[best], places[own])]
    return ScoredCells(edges=edges, shots=shots.astype(np.int64), scores=scores[chosen])


def find_segments(
    cells: ScoredCells, *, kind: ScoreKind, step_seconds: float, smooth_seconds: float = 0.0, min_seconds: float = 0.0
) -> list[Segment]:
    """The segments of the labelling whose scores have the highest sum, of those without a part below `min_seconds`.

    With softmax each moment has one class. With sigmoid each class is there or not by itself, where its score is above
    or below one half: segments of different classes may overlap, and gaps have the same least length.
    `smooth_seconds`: scores are means over so much time first. Neither reaches over a cut; a shot below `min_seconds`
    has one class. `step_seconds`: of most cells. Raises ModelError for times below 0.
    """
    if smooth_seconds < 0 or min_seconds < 0:
        raise ModelError(f"smooth_seconds and min_seconds count from 0, got {smooth_seconds:g} and {min_seconds:g}")
    least = max(1, int(np.ceil(min_seconds / step_seconds - 1e-6)))
    reach = round(smooth_seconds / step_seconds) // 2
    scores: np.ndarray = np.empty(cells.scores.shape)
    labels = np.empty(scores.shape, bool)
    for shot in np.unique(cells.shots):
        own = cells.shots == shot
        smoothed = moving_mean(cells.scores[own].astype(np.float64), reach=reach)
        scores[own] = smoothed
        labels[own] = label_one(smoothed, least=least) if kind == "softmax" else label_each(smoothed, least=least)
    widths = np.diff(cells.edges)
    found = []
    for k, column in enumerate(labels.T):
        for first, stop in _stretches(column):
            score = float(np.average(scores[first:stop, k], weights=widths[first:stop]))
            start, end = float(cells.edges[first]), float(cells.edges[stop])
            found.append(Segment(start_seconds=start, end_seconds=end, label=k, score=score))
    return sorted(found, key=lambda each: (each.start_seconds, each.label))


def label_one(scores: Float64[np.ndarray, "n k"], *, least: int) -> Bool[np.ndarray, "n k"]:
    """One class for each row."""
    labels = best_labels(scores[:, None], least=least)[:, 0]
    return labels[:, None] == np.arange(scores.shape[1])


def label_each(scores: Float64[np.ndarray, "n k"], *, least: int) -> Bool[np.ndarray, "n k"]:
    """For each class by itself, whether it is there."""
    return best_labels(np.stack([1 - scores, scores], axis=2), least=least) == 1


def best_labels(scores: Float64[np.ndarray, "n g s"], *, least: int) -> Int64[np.ndarray, "n g"]:
    """For each group, one state a row: the sequence of highest sum whose states all last `least` rows or more.

    By dynamic programming, exactly. B[t, s] is the best sum of rows 0 … t the last `least` or more in state s:

        B[t, s] = max( B[t-1, s] + scores[t, s],  max_r B[t-least, r] + sum of scores[t-least+1 … t, s] )

    Fewer rows than `least` have one state. Of equal sums the one that changes later stands.
    """
    rows, groups, _ = scores.shape
    sums = np.concatenate([np.zeros((1, *scores.shape[1:])), scores.cumsum(axis=0)])
    if rows <= least:
        return np.broadcast_to(sums[-1].argmax(axis=1), (rows, groups)).astype(np.int64)
    best = np.full(scores.shape, -np.inf)
    changed = np.zeros(scores.shape, bool)
    best[least - 1] = sums[least]
    for t in range(least, rows):
        stay = best[t - 1] + scores[t]
        change = best[t - least].max(axis=1, keepdims=True) + sums[t + 1] - sums[t + 1 - least]
        changed[t] = change > stay
        best[t] = np.maximum(stay, change)
    labels = np.empty((rows, groups), np.int64)
    for group in range(groups):
        t = rows - 1
        state = int(best[t, group].argmax())
        while t >= 0:
            labels[t, group] = state
            if not changed[t, group, state]:
                t -= 1
                continue
            labels[t + 1 - least : t + 1, group] = state
            t -= least
            state = int(best[t, group].argmax())
    return labels


def moving_mean(scores: Float64[np.ndarray, "n k"], *, reach: int) -> Float64[np.ndarray, "n k"]:
    """Each row's mean with `reach` rows on both sides, or as many as there are."""
    if reach < 1:
        return scores
    sums = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)])
    places = np.arange(len(scores))
    first, stop = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(scores))
    return (sums[stop] - sums[first]) / rearrange(stop - first, "n -> n 1")


def _nearest(rising: Float64[np.ndarray, "m"], places: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """The index of the nearest of `rising` for each place; of two the first."""
    right = np.clip(np.searchsorted(rising, places), 1, max(1, len(rising) - 1))
    left = right - 1
    right = np.minimum(right, len(rising) - 1)
    return np.where(places - rising[left] <= rising[right] - places, left, right)


def _stretches(there: Bool[np.ndarray, "n"]) -> list[tuple[int, int]]:
    """First and stop of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
