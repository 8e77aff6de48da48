"""Segments from scores: the best labelling, against every labelling there is; cuts; lengths; labels of both kinds."""

from itertools import pairwise, product

import numpy as np
import pytest

from vidtok.errors import ModelError
from vidtok.infer.segments import ScoredCells, best_labels, find_segments, make_cells, moving_mean


def lengths(labels) -> list[int]:
    edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
    return [after - before for before, after in pairwise(edges)]


@pytest.mark.parametrize("least", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_the_labelling_is_the_best_of_all_that_are_allowed(least, seed):
    scores = np.random.default_rng(seed).random((9, 2, 3))
    found = best_labels(scores, least=least)
    for group in range(2):
        allowed = [each for each in product(range(3), repeat=9) if min(lengths(each)) >= least]
        sums = [sum(scores[t, group, k] for t, k in enumerate(each)) for each in allowed]
        assert tuple(found[:, group]) == allowed[int(np.argmax(sums))]


def test_fewer_rows_than_the_least_have_one_state():
    scores = np.array([[[0.9, 0.1]], [[0.3, 0.7]], [[0.4, 0.6]]])
    assert best_labels(scores, least=3).tolist() == [[0], [0], [0]]
    assert best_labels(scores, least=5).tolist() == [[0], [0], [0]]
    assert best_labels(scores, least=1).tolist() == [[0], [1], [1]]


def test_the_mean_takes_in_as_many_rows_as_there_are():
    rows = np.array([[0.0], [3.0], [6.0], [9.0]])
    assert moving_mean(rows, reach=1).flatten().tolist() == [1.5, 3.0, 6.0, 7.5]
    assert moving_mean(rows, reach=0).flatten().tolist() == [0.0, 3.0, 6.0, 9.0]


STARTS, ENDS = np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0, 5.0])


def test_pieces_lie_around_the_centres_of_the_windows():
    cells = make_cells(STARTS, ENDS, np.eye(4), begin=0.0, end=5.5)
    assert cells.edges.tolist() == [0.0, 1.5, 2.5, 3.5, 5.5]
    assert cells.scores.argmax(1).tolist() == [0, 1, 2, 3]
    assert cells.shots.tolist() == [0, 0, 0, 0]


def test_a_piece_has_the_scores_of_a_window_that_does_not_cross_the_cut():
    cells = make_cells(STARTS, ENDS, np.eye(4), begin=0.0, end=5.0, cuts=[2.2])
    assert cells.edges.tolist() == [0.0, 1.5, 2.2, 2.5, 3.5, 5.0]
    assert cells.shots.tolist() == [0, 0, 1, 1, 1]
    assert cells.scores.argmax(1).tolist() == [0, 0, 3, 3, 3], "only the first lies before the cut, the last behind it"
    short = make_cells(STARTS, ENDS, np.eye(4), begin=0.0, end=5.0, cuts=[2.2, 2.8])
    assert short.scores.argmax(1).tolist()[2:4] == [1, 2], "of those that hold the whole shot, the nearest"


def cells_of(scores: list[list[float]], shots: list[int] | None = None) -> ScoredCells:
    return ScoredCells(
        edges=np.arange(len(scores) + 1) * 0.5,
        shots=np.array(shots or [0] * len(scores), np.int64),
        scores=np.array(scores),
    )


def told(segments) -> list[tuple[float, float, int]]:
    return [(each.start_seconds, each.end_seconds, each.label) for each in segments]


def test_segments_of_one_label_fill_the_video_and_have_the_mean_score():
    cells = cells_of([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]])
    found = find_segments(cells, kind="softmax", step_seconds=0.5)
    assert told(found) == [(0.0, 1.0, 0), (1.0, 1.5, 1), (1.5, 2.0, 0), (2.0, 3.0, 1)]
    assert found[0].score == pytest.approx(0.8)
    assert found[0].seconds == 1.0
    long = find_segments(cells, kind="softmax", step_seconds=0.5, min_seconds=1.0)
    assert told(long) == [(0.0, 2.0, 0), (2.0, 3.0, 1)]
    assert long[0].score == pytest.approx(0.7)
    smooth = find_segments(cells, kind="softmax", step_seconds=0.5, smooth_seconds=1.5)
    assert told(smooth) == [(0.0, 1.5, 0), (1.5, 3.0, 1)]


def test_labels_that_may_stand_together_overlap_and_leave_gaps():
    cells = cells_of([[0.9, 0.1], [0.8, 0.7], [0.2, 0.9], [0.1, 0.2], [0.3, 0.4], [0.6, 0.1]])
    found = find_segments(cells, kind="sigmoid", step_seconds=0.5)
    assert told(found) == [(0.0, 1.0, 0), (0.5, 1.5, 1), (2.5, 3.0, 0)]
    long = find_segments(cells, kind="sigmoid", step_seconds=0.5, min_seconds=1.0)
    assert told(long) == [(0.0, 1.0, 0), (0.0, 1.5, 1)], "a gap is no shorter either"


def test_neither_smoothing_nor_a_least_length_reaches_over_a_cut():
    scores = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]
    cells = cells_of(scores, shots=[0, 0, 0, 1, 2, 2, 2])
    for options in ({"min_seconds": 1.0}, {"smooth_seconds": 1.5}):
        found = find_segments(cells, kind="softmax", step_seconds=0.5, **options)
        assert told(found) == [(0.0, 1.5, 0), (1.5, 2.0, 1), (2.0, 3.5, 0)]
        assert len(find_segments(cells_of(scores), kind="softmax", step_seconds=0.5, **options)) == 1
    same = find_segments(cells_of([[0.9, 0.1]] * 4, shots=[0, 0, 1, 1]), kind="softmax", step_seconds=0.5)
    assert told(same) == [(0.0, 2.0, 0)], "a class goes on over a cut"


def test_times_below_zero_are_refused():
    with pytest.raises(ModelError, match="count from 0, got 0 and -1"):
        find_segments(cells_of([[1.0, 0.0]]), kind="softmax", step_seconds=0.5, min_seconds=-1.0)


def test_lengths_are_rounded_up_and_reach_to_both_sides():
    cells = cells_of([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 2 + [[0.9, 0.1]] * 3)
    for seconds, count in ((0.5, 3), (1.0, 3), (1.01, 1), (1.5, 1)):
        assert len(find_segments(cells, kind="softmax", step_seconds=0.5, min_seconds=seconds)) == count
    scores = [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert len(find_segments(cells_of(scores), kind="softmax", step_seconds=0.5, smooth_seconds=0.7)) == 4
    two = [
        find_segments(cells_of(scores), kind="softmax", step_seconds=0.5, smooth_seconds=each) for each in (1.0, 1.5)
    ]
    assert told(two[0]) == told(two[1])
    with pytest.raises(ModelError, match=r"count from 0, got -0\.5 and 0"):
        find_segments(cells, kind="softmax", step_seconds=0.5, smooth_seconds=-0.5)


def test_a_single_window_is_the_whole_and_cuts_outside_are_none():
    cells = make_cells(
        np.array([0.0]), np.array([2.0]), np.array([[0.3, 0.7]]), begin=0.0, end=2.5, cuts=[0.0, 2.5, 9.0]
    )
    assert cells.edges.tolist() == [0.0, 2.5]
    assert (cells.shots.tolist(), cells.scores.tolist()) == ([0], [[0.3, 0.7]])
    (one,) = find_segments(cells, kind="softmax", step_seconds=0.5)
    assert (one.start_seconds, one.end_seconds, one.label, one.score) == (0.0, 2.5, 1, 0.7)
