"""Windows over a long video: what they share, that each is what testing would see of it, and what cannot be."""

import numpy as np
import pytest
import torch

from vidtok.errors import ModelError
from vidtok.video.protocols import ClipRule
from vidtok.video.windows import plan_windows


def times(frames: int, fps: float = 25.0) -> torch.Tensor:
    return torch.arange(frames, dtype=torch.float64) / fps


DENSE = [
    ClipRule(frames=4, stride=3),
    ClipRule(frames=4, stride=3, sampling="scenic"),
    ClipRule(frames=5, stride=2, sampling="mmaction2"),
    ClipRule(frames=4, stride=3, sampling="pyslowfast"),
    ClipRule(frames=4, stride=2, sampling="torchcodec"),
    ClipRule(frames=4, stride=3, sampling="pytorchvideo"),
    ClipRule(frames=4, stride=2, target_fps=12.5),
    ClipRule(frames=4, stride=2, target_fps=12.5, sampling="pyslowfast"),
]


@pytest.mark.parametrize("rule", DENSE, ids=lambda rule: f"{rule.sampling}-{rule.target_fps}")
@pytest.mark.parametrize("seconds", [None, 1.2])
def test_a_window_is_seen_as_testing_sees_a_video_of_its_frames(rule, seconds):
    pts = times(103) + 7
    windows = plan_windows(rule, pts, window_seconds=seconds, step_seconds=0.5)
    assert len(windows) > 3
    for row, start, end in zip(windows.indices, windows.start_seconds, windows.end_seconds, strict=True):
        inside = torch.nonzero((pts > start - 1e-6) & (pts < end - 1e-6)).flatten()
        assert row.tolist() == inside[rule.testing_clips(pts[inside], 1)[0]].tolist()
    own = rule.frames * rule.stride / (rule.target_fps or 25.0)
    assert windows.end_seconds[0] - windows.start_seconds[0] == pytest.approx(seconds or own, abs=0.021)


@pytest.mark.parametrize("rule", DENSE[:3], ids=lambda rule: rule.sampling)
def test_they_cover_the_video_from_end_to_end_and_share_their_frames(rule):
    pts = times(200)
    windows = plan_windows(rule, pts)
    assert windows.start_seconds[0] == 0
    assert windows.end_seconds[-1] == pytest.approx(8.0)
    gaps = np.diff(windows.start_seconds)
    assert gaps[:-1] == pytest.approx(windows.step_seconds)
    assert 0 < gaps[-1] <= windows.step_seconds + 1e-9
    assert round(windows.step_seconds * 25) % rule.stride == 0
    shared = set(windows.indices[0].tolist()) & set(windows.indices[1].tolist())
    assert len(shared) == rule.frames - round(windows.step_seconds * 25) // rule.stride


def test_segments_have_the_frames_shown_at_the_middles_of_their_parts():
    rule = ClipRule(frames=5, stride=1, sampling="segments")
    pts = times(250, fps=25.0)
    windows = plan_windows(rule, pts, window_seconds=2.0, step_seconds=0.4)
    assert windows.indices[0].tolist() == [5, 15, 25, 35, 45]
    assert windows.indices[1].tolist() == [15, 25, 35, 45, 55]
    assert windows.step_seconds == pytest.approx(0.4)
    assert (windows.start_seconds[1], windows.end_seconds[1]) == pytest.approx((0.4, 2.4))
    assert windows.indices[-1].tolist() == [205, 215, 225, 235, 245]
    assert len(torch.unique(windows.indices)) == 25
    slow = ClipRule(frames=5, stride=1, sampling="segments", target_fps=5.0)
    assert plan_windows(slow, pts, window_seconds=2.0).indices[0].tolist() == [5, 15, 25, 35, 45]


def test_segments_follow_the_clock_where_frames_are_uneven():
    pts = torch.cat([times(25, fps=25.0), 1 + times(51, fps=10.0)])
    windows = plan_windows(ClipRule(frames=2, stride=1, sampling="segments"), pts, window_seconds=1.0, step_seconds=1.0)
    assert windows.indices.tolist() == [[6, 18], [27, 32], [37, 42], [47, 52], [57, 62], [67, 72]]


@pytest.mark.parametrize("rule", [*DENSE, ClipRule(frames=4, stride=1, sampling="segments")])
def test_a_video_that_is_no_longer_is_one_window_and_seen_as_a_whole(rule):
    pts = times(8)
    windows = plan_windows(rule, pts, window_seconds=0.4 if rule.sampling == "segments" else None)
    assert windows.indices.tolist() == [rule.testing_clips(pts, 1)[0].tolist()]
    assert (windows.start_seconds[0], windows.end_seconds[0]) == pytest.approx((0.0, 0.32))


def test_the_last_window_ends_with_the_video():
    windows = plan_windows(ClipRule(frames=4, stride=2), times(13), step_seconds=0.16)
    assert windows.indices.tolist() == [[0, 2, 4, 6], [4, 6, 8, 10], [5, 7, 9, 11]]
    assert windows.centre_seconds == pytest.approx([0.16, 0.32, 0.36])


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (ClipRule(frames=4, stride=1, sampling="segments"), {}, "say how long a window is"),
        (DENSE[0], {"window_seconds": 0.3}, r"window_seconds=0\.3 is shorter than a clip of this model, 0\.4 s at"),
        (DENSE[0], {"window_seconds": 0.0}, "window_seconds is above 0, got 0"),
        (DENSE[0], {"step_seconds": -1.0}, "step_seconds is above 0, got -1"),
    ],
)
def test_what_cannot_be_is_told(rule, options, message):
    with pytest.raises(ModelError, match=message):
        plan_windows(rule, times(100), **options)
