"""Windows over a long video: which frames each takes, so that neighbours take the same ones. No pixels touched.

A model of 4 frames with stride 3, whose windows begin 6 frames apart:

    source     0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
    window 0   ^        ^        ^        ^
    window 1                     ^        ^        ^        ^     frames 6 and 9 serve both

Where clips take their frames from equal parts of a video (`segments`), a window has a length in seconds, and its
frames are those shown at the middles of its parts; windows are whole parts apart.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from vidtok.errors import ModelError
from vidtok.video.protocols import IN_SECONDS, STRETCHING, ClipRule, duration_seconds, nominal_fps, regular_clips
from vidtok.video.sample import CLOCK_SECONDS, resample, span

STEPS = 4
"""Windows that see each moment, where nobody says how far they are apart."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Parts of a video in their order, each with the source frames of the clip that stands for it.

    Both `indices` and times rise from window to window; times are those of the presentation times that were given.
    """

    indices: Int64[Tensor, "n f"]
    start_seconds: Float64[np.ndarray, "n"]
    end_seconds: Float64[np.ndarray, "n"]
    step_seconds: float
    """From one window to the next; the last one may be nearer, since it ends with the video."""

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def centre_seconds(self) -> Float64[np.ndarray, "n"]:
        return (self.start_seconds + self.end_seconds) / 2


def plan_windows(
    rule: ClipRule,
    pts_seconds: Float64[Tensor, "m"],
    *,
    window_seconds: float | None = None,
    step_seconds: float | None = None,
) -> Windows:
    """Windows from the beginning of a video to its end; `pts_seconds` are the presentation times of its frames.

    A window of a dense rule is by default as long as its clip, and a longer one has its clip where testing puts a
    single one. `step_seconds` is by default a quarter of a window; it is rounded to whole strides (whole parts, of
    segments), so that windows share their frames. A video that is shorter than a window is one, seen as testing sees
    it. Raises ModelError for segments without a window's length, and for a window that is shorter than its clip.
    """
    for name, value in (("window_seconds", window_seconds), ("step_seconds", step_seconds)):
        if value is not None and not value > 0:
            raise ModelError(f"{name} is above 0, got {value:g}")
    if rule.sampling == "segments" and window_seconds is None:
        raise ModelError("clips of this model take their frames from the whole of a video: say how long a window is")
    first, whole = float(pts_seconds[0]), duration_seconds(pts_seconds)
    if rule.sampling == "segments":
        assert window_seconds is not None
        per_second, unit, length = rule.frames / window_seconds, 1, rule.frames
        table, pattern = _middles(rule, pts_seconds, parts_per_second=per_second), torch.arange(rule.frames)
        clock = first + np.arange(len(table) + 1) / per_second
    elif rule.target_fps is not None and rule.sampling not in (*STRETCHING, *IN_SECONDS):
        per_second, unit = rule.target_fps, rule.stride
        length = _entries(rule, pts_seconds, window_seconds, per_second=per_second)
        table, pattern = resample(pts_seconds, per_second), regular_clips(rule, length, 1)[0]
        clock = np.minimum(first + np.arange(len(table) + 1) / per_second, first + whole)
    else:  # the source's own frames, and their own times, however uneven
        per_second, unit = nominal_fps(pts_seconds, other=1.0), rule.stride
        length = _entries(rule, pts_seconds, window_seconds, per_second=per_second)
        table, pattern = torch.arange(len(pts_seconds)), rule.testing_clips(pts_seconds[:length], 1)[0]
        clock = np.append(pts_seconds.numpy(), first + whole)
    wanted = length / STEPS if step_seconds is None else step_seconds * per_second
    step = max(1, round(wanted / unit)) * unit
    if len(table) <= length:
        return Windows(
            indices=rule.testing_clips(pts_seconds, 1)[0][None],
            start_seconds=np.array([first]),
            end_seconds=np.array([first + whole]),
            step_seconds=step / per_second,
        )
    starts = np.arange(0, len(table) - length + 1, step)
    if starts[-1] < len(table) - length:
        starts = np.append(starts, len(table) - length)
    return Windows(
        indices=table[torch.from_numpy(starts)[:, None] + pattern],
        start_seconds=clock[starts],
        end_seconds=clock[starts + length],
        step_seconds=step / per_second,
    )


def _entries(
    rule: ClipRule, pts_seconds: Float64[Tensor, "m"], window_seconds: float | None, *, per_second: float
) -> int:
    """How many frames of the table, which has so many per second, a window is long."""
    clip = rule.frames * rule.stride
    if rule.target_fps is not None and per_second != rule.target_fps:
        clip *= per_second / rule.target_fps
    least = clip if rule.sampling in (*STRETCHING, *IN_SECONDS) else span(rule.frames, rule.stride)
    if window_seconds is None:
        return max(1, round(clip))
    if window_seconds * per_second < least - 0.5:
        raise ModelError(
            f"window_seconds={window_seconds:g} is shorter than a clip of this model, {least / per_second:.3g} s at "
            f"the {per_second:g} frames per second of this video"
        )
    return max(1, round(window_seconds * per_second))


def _middles(rule: ClipRule, pts_seconds: Float64[Tensor, "m"], *, parts_per_second: float) -> Int64[Tensor, "parts"]:
    """The source frames shown at the middles of equal parts, as many as the video has whole."""
    parts = max(1, int(np.floor((duration_seconds(pts_seconds) + CLOCK_SECONDS) * parts_per_second)))
    due = (torch.arange(parts, dtype=torch.float64) + 0.5) / parts_per_second
    if rule.target_fps is not None:
        table = resample(pts_seconds, rule.target_fps)
        return table[(due * rule.target_fps).long().clamp(max=len(table) - 1)]
    return torch.searchsorted(pts_seconds - pts_seconds[0], due + CLOCK_SECONDS, right=True) - 1
