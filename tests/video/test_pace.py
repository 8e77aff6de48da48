"""Which frames a stream takes: those of the model's own clips, one clip after the other."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.video.pace import Picker, pace_of
from vidtok.video.protocols import ClipRule
from vidtok.video.windows import plan_windows


def taken(pace, seconds, *, end):
    picker, found = Picker(pace), []
    for index, time in enumerate(seconds):
        before, now = picker.see(float(time))
        found += [index - 1] * before + [index] * now
    return found + [len(seconds) - 1] * picker.end(end)


def table(fps, frames=60):
    return torch.arange(frames, dtype=torch.float64) / fps + 7.0


UNEVEN = torch.tensor([0.0, 0.03, 0.2, 0.21, 0.3, 0.55, 0.6, 0.7, 0.8, 1.3, 1.4, 1.45, 1.6, 1.7, 1.8, 2.0]).double()


@pytest.mark.parametrize("seconds", [table(25.0), table(30.0), UNEVEN], ids=["25", "30", "uneven"])
@pytest.mark.parametrize(
    ("options", "window"),
    [
        ({"stride": 2}, None),
        ({"stride": 2, "target_fps": 8.0}, None),
        ({"stride": 1, "target_fps": 40.0}, None),
        ({"stride": 3, "sampling": "scenic"}, None),
        ({"stride": 2, "sampling": "torchcodec", "target_fps": 12.5}, None),
        ({"stride": 1, "sampling": "segments"}, 0.8),
    ],
)
def test_the_frames_of_a_stream_are_those_of_windows_one_time_step_apart(seconds, options, window):
    rule = ClipRule(frames=4, **options)
    fps = (len(seconds) - 1) / float(seconds[-1] - seconds[0])
    found = taken(pace_of(rule, source_fps=fps, window_seconds=window), seconds, end=float(seconds[-1]) + 1 / fps)
    step = pace_of(rule, source_fps=fps, window_seconds=window).apart_seconds
    windows = plan_windows(rule, seconds, window_seconds=window, step_seconds=step).indices
    rows = [found[i : i + 4] for i in range(len(found) - 3)]
    assert len(rows) >= len(windows) - 1 > 1
    assert rows[: len(windows) - 1] == windows[:-1].tolist()  # the last one ends with the video


@pytest.mark.parametrize(
    "options",
    [
        {"sampling": "pyslowfast", "stride": 3},
        {"sampling": "pyslowfast", "stride": 2, "target_fps": 30.0},
        {"sampling": "mmaction2", "stride": 2},
        {"sampling": "mmaction2", "stride": 2, "target_fps": 20.0},
        {"sampling": "pytorchvideo", "stride": 3},
        {"sampling": "videomae", "stride": 3},
        {"sampling": "vjepa2", "stride": 3},
    ],
    ids=str,
)
def test_clips_that_are_stretched_keep_their_pace(options):
    rule = ClipRule(frames=8, **options)
    seconds = table(25.0, frames=60) - 7.0
    found = taken(pace_of(rule, source_fps=25.0), seconds, end=2.4)
    length = round(8 * rule.stride * 25 / (rule.target_fps or 25)) + (rule.sampling == "vjepa2")
    (clip,) = rule.testing_clips(seconds[:length], 1)
    assert (torch.tensor(found[:8]) - (clip - clip[0])).abs().max() <= 1
    assert len(found) > 12


def test_a_window_is_asked_for_where_nothing_tells_it_and_refused_where_something_does():
    with pytest.raises(ModelError, match="say how many seconds a window has: `window_seconds`"):
        pace_of(ClipRule(frames=4, stride=1, sampling="segments"), source_fps=25.0)
    with pytest.raises(ModelError, match="have a length of their own: leave out `window_seconds`"):
        pace_of(ClipRule(frames=4, stride=1), source_fps=25.0, window_seconds=1.0)
    assert pace_of(ClipRule(frames=1, stride=3), source_fps=30.0).apart_seconds == pytest.approx(0.1)
