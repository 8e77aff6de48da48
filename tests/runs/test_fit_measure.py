"""How good what fit makes is, from the logits of videos that were left out."""

import numpy as np
import pytest
import torch

from vidtok.runs.fit_measure import Measured, measure_folds, measure_half
from vidtok.runs.fit_set import EncodedVideos
from vidtok.runs.laps import Laps
from vidtok.train.nested import Videos, left_out_logits, standard_error

LOGITS = torch.tensor([[2.0, 0], [0, 1], [1, 0], [3, 0], [0, 1], [0, 2]], dtype=torch.float64)
VIDEOS = Videos(labels=[(0,), (1,), (1,), (0,), (1,), (0,)], groups=list("aabbcc"), folds=[0, 0, 1, 1, 2, 2], classes=2)


def test_figures_are_those_of_the_videos_that_were_left_out():
    whole = Measured(logits={"plain": LOGITS, "reversed": -LOGITS}, measured=range(6))
    assert whole.hits(VIDEOS) == [True, True, False, True, True, False]
    assert whole.figures(VIDEOS, kind="softmax") == pytest.approx({"plain": 4 / 6, "reversed": 2 / 6})
    some = Measured(logits={"plain": LOGITS}, measured=[2, 3, 4])
    assert some.hits(VIDEOS) == [False, True, True]
    assert some.figures(VIDEOS, kind="softmax") == pytest.approx({"plain": 2 / 3})


def test_the_spread_is_over_groups_of_what_was_left_out():
    some = Measured(logits={"plain": LOGITS}, measured=[2, 3, 4, 5])
    wanted = standard_error([False, True, True, False], list("bbcc"), seed=3)
    assert some.spread(VIDEOS, kind="softmax", seed=3) == wanted
    assert wanted == pytest.approx(3**0.5 / 6)  # each group has one of two, so that nothing spreads: a half of two
    whole = Measured(logits={"plain": LOGITS}, measured=range(6))
    assert whole.spread(VIDEOS, kind="softmax", seed=3) > 0
    assert whole.spread(VIDEOS, kind="sigmoid", seed=3) is None


@pytest.fixture(scope="module")
def clips():
    """Two classes that the first number of `time` tells apart."""
    rng, count = np.random.default_rng(0), 40
    videos = Videos(
        labels=[(k % 2,) for k in range(count)],
        groups=list(range(count)),
        folds=[k // 2 % 2 for k in range(count)],
        classes=2,
    )
    noise = {part: torch.from_numpy(rng.normal(size=(count, 5))) for part in ("mean", "time", "maps", "motion")}
    noise["time"][:, 0] += torch.tensor([4.0, -4.0]).repeat(count // 2)
    backwards = {part: -x for part, x in noise.items()}
    encoded = EncodedVideos(
        rows=range(count),
        features={"plain": noise, "reversed": backwards},
        one_frame={"mean": noise["mean"]},
        thumbnails=torch.zeros(count, 1, 2, 2),
        tokens=[{}] * count,
        failed=0,
    )
    return videos, encoded


def test_a_linear_probe_is_measured_with_its_controls_and_one_frame_alone(clips):
    videos, encoded = clips
    laps = Laps()
    found = measure_folds(encoded, None, videos, laps, kind="softmax", seed=0)
    figures = found.figures(videos, kind="softmax")
    assert list(figures) == ["plain", "reversed", "one"]
    assert figures["plain"] >= 0.95
    assert figures["reversed"] <= 0.05, "the probe that was made on clips as they are is asked"
    assert 0.2 < figures["one"] < 0.8, "noise"
    assert list(laps.seconds) == ["choosing and measuring", "one frame"]
    alone = left_out_logits({"one": encoded.one_frame}, videos, kind="softmax", seed=0)["one"]
    assert torch.equal(found.logits["one"], alone)
    assert found.half is None


def test_half_of_the_clips_is_tried_where_they_can_be_divided(clips):
    videos, encoded = clips
    laps = Laps()
    found = Measured(logits={"plain": torch.zeros(40, 2)}, measured=range(40))
    halved = measure_half(found, encoded, None, videos, laps, kind="softmax", seed=0)
    assert halved.half >= 0.9
    assert halved.logits is found.logits
    assert list(laps.seconds) == ["half of the clips"]
    few = Videos(labels=videos.labels, groups=[k % 4 for k in range(40)], folds=[k % 2 for k in range(40)], classes=2)
    assert measure_half(found, encoded, None, few, laps, kind="softmax", seed=0).half is None
