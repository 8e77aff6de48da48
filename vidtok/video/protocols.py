"""Where clips lie, by the rules of the well-known frameworks, so that published protocols can be run again.

L frames of which a clip takes T, one every s; S = (T - 1) s + 1 is its span, and C = T s the length that some count.
`r` is the source's frames per second over `target_fps`.

| name       | training start  | testing start i of N                 | frames of a clip                | short videos |
|------------|-----------------|--------------------------------------|---------------------------------|--------------|
| vidtok     | 0 … L-S         | floor(i (L-S) / (N-1)); one: middle  | start + k s                     | `short`      |
| scenic     | 0 … L-S         | floor(i (L-C) / (N-1)); one: middle  | start + k s                     | loop         |
| mmaction2  | 0 … L-C         | round(i (L-S) / (N-1)); one: middle  | start + k s                     | loop         |
| … at a fps | 0 … floor(L-Cr) | i floor((L-Cr) / (N-1)); one: middle | start + floor(k (Cr-1) / (T-1)) | loop         |
| pyslowfast | real, 0 to L-Cr | i (L-Cr) / N; one: 0                 | floor(start + k (Cr-1) / (T-1)) | repeat       |
| torchcodec | 0 … L-S         | floor(i (L-S) / (N-1)); one: 0       | start + k s                     | `short`      |
| videomae, vjepa2: by equal parts, see vidtok/video/equal_parts.py                                           |
| segments   | a frame drawn from each of T equal segments; in testing their middle frames |
| pytorchvideo, pytorchvideo_uniform: in seconds, see below |

`loop` begins the video anew; `repeat` repeats its last frame. torchcodec has policies of its own: `repeat` repeats the
clip's own last frame inside of the video (repeat_last), `wrap` begins the clip, not the video, anew.
Middles are rounded down, and a start is never below 0. At a `target_fps` the first two, torchcodec's, the segments
and those by equal parts run on the table of `resample`; mmaction2 and PySlowFast stretch the clip on the source's own
frames instead.

pytorchvideo counts in seconds: D is the video's duration, d = T s / fps the clip's, at the target rate or else the
video's own. A clip takes T of the n frames of [start, start + d), number floor(j (n-1) / (T-1)), which stretches a
shorter video (UniformTemporalSubsample). Its starts are real numbers from 0 to D-d (RandomClipSampler), in testing
i (D-d) / N (ConstantClipsPerVideoSampler). pytorchvideo_uniform (UniformClipSampler) has in testing the windows
[0, d), [d, 2 d) … that lie inside of the video, the first in any case; at most N of them, evenly chosen.
How each places its crops is in `vidtok.data.geometry`.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import floor

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from vidtok.choices import SHORT, OwnShort, Sampling, Short
from vidtok.video.equal_parts import random_part, videomae_clips, vjepa2_clips
from vidtok.video.sample import CLOCK_SECONDS, clip_indices, linspace_starts, random_start, resample, span

STRETCHING = ("mmaction2", "pyslowfast")
IN_SECONDS = ("pytorchvideo", "pytorchvideo_uniform")


@dataclass(frozen=True, kw_only=True)
class ClipRule:
    """How clips lie on a video: `frames` frames, one every `stride` source frames (or frames at `target_fps`).

    `sampling` names the rule; see the module's table. `short` says what a clip does behind the end of the video, with
    `vidtok` (`loop` where it is not given) and `torchcodec` (`repeat`); the other rules bring their own.
    """

    frames: int
    stride: int
    target_fps: float | None = None
    sampling: Sampling = "vidtok"
    short: Short | None = None

    def __post_init__(self):
        known = SHORT.get(self.sampling, ())
        if self.short is not None and not known:
            raise ValueError(
                f"short={self.short} belongs to the sampling of vidtok and torchcodec; {self.sampling} has a rule of "
                f"its own"
            )
        if self.short is not None and self.short not in known:
            raise ValueError(f"short={self.short} is not known to {self.sampling}: {' or '.join(known)}")
        if self.sampling == "segments" and self.stride != 1:
            raise ValueError(f"segments take one frame each, without a stride: it must be 1, got {self.stride}")

    def training_clip(self, pts_seconds: Float64[Tensor, "n"], rng: np.random.Generator) -> Int64[Tensor, "f"]:
        """The source frames of a clip at random; `pts_seconds` are the presentation times of the video's frames."""
        if self.sampling in IN_SECONDS:
            spare = max(duration_seconds(pts_seconds) - self.seconds(pts_seconds), 0.0)
            return self._window(pts_seconds, rng.uniform(0, spare))
        table, rate = self._table(pts_seconds)
        return table[random_clip(self, len(table), rng, rate=rate)]

    def testing_clips(self, pts_seconds: Float64[Tensor, "n"], clips: int) -> list[Int64[Tensor, "f"]]:
        """The source frames of `clips` clips that cover the video; of pytorchvideo's uniform ones, `clips` at most."""
        if clips < 1:
            raise ValueError(f"clips count from 1, got {clips}")
        if self.sampling in IN_SECONDS:
            whole, length = duration_seconds(pts_seconds), self.seconds(pts_seconds)
            if self.sampling == "pytorchvideo":
                starts = [max(whole - length, 0.0) * i / clips for i in range(clips)]
            else:
                windows = max(1, _whole(whole / length))
                starts = [length * (i * windows // min(clips, windows)) for i in range(min(clips, windows))]
            return [self._window(pts_seconds, start) for start in starts]
        table, rate = self._table(pts_seconds)
        return [table[clip] for clip in regular_clips(self, len(table), clips, rate=rate)]

    def is_longer_than(self, pts_seconds: Float64[Tensor, "n"]) -> bool:
        """Whether a clip reaches beyond the end of this video, wherever it begins."""
        if self.sampling in IN_SECONDS:
            return self.seconds(pts_seconds) > duration_seconds(pts_seconds) + CLOCK_SECONDS
        table, rate = self._table(pts_seconds)
        if self.sampling == "segments":
            return self.frames > len(table)
        if self.sampling == "pyslowfast" or rate is not None:
            return self.frames * self.stride * (rate or 1.0) > len(table) + 1e-6
        return span(self.frames, self.stride) > len(table)

    def seconds(self, pts_seconds: Float64[Tensor, "n"]) -> float:
        """How long a clip is where it counts in seconds: at the target rate, or at the video's own."""
        rate = self.target_fps or nominal_fps(pts_seconds, other=1.0)
        return self.frames * self.stride / rate

    def _window(self, pts_seconds: Float64[Tensor, "n"], start: float) -> Int64[Tensor, "f"]:
        """Frames from the part of the video that begins at `start` seconds, evenly, the first and the last with them.

        The one that is shown at `start` where none begins in that time, which pytorchvideo leaves out.
        """
        shown = pts_seconds - pts_seconds[0] + CLOCK_SECONDS
        first = int((shown < start).sum())
        stop = int((shown < start + self.seconds(pts_seconds)).sum())
        if first >= stop:
            first = max(stop - 1, 0)
            stop = first + 1
        return first + torch.linspace(0, stop - first - 1, self.frames).long()

    def _table(self, pts_seconds: Float64[Tensor, "n"]) -> tuple[Int64[Tensor, "m"], float | None]:
        """The source frames that clips may pick from, and how many of them one frame at the target rate stands for."""
        if self.target_fps is None:
            return torch.arange(len(pts_seconds)), None
        if self.sampling in STRETCHING:
            return torch.arange(len(pts_seconds)), nominal_fps(pts_seconds, other=self.target_fps) / self.target_fps
        return resample(pts_seconds, self.target_fps), None


def duration_seconds(pts_seconds: Float64[Tensor, "n"]) -> float:
    """How long a video is shown: its last frame for the mean duration of the others."""
    frames = len(pts_seconds)
    return float(pts_seconds[-1] - pts_seconds[0]) * frames / (frames - 1) if frames > 1 else 0.0


def nominal_fps(pts_seconds: Float64[Tensor, "n"], *, other: float) -> float:
    """Frames per second that the video was made with; `other` where a single frame has none.

    The mean rate of the table, or the whole number, or its 1000/1001, that agrees with it within the clock's
    resolution: 30 frames per second in whole milliseconds are still 30.
    """
    if len(pts_seconds) < 2:
        return other
    steps, duration = len(pts_seconds) - 1, float(pts_seconds[-1] - pts_seconds[0])
    whole = max(1, round(steps / duration))
    for rate in (whole, whole * 1000 / 1001):
        if abs(steps / rate - duration) <= 2 * CLOCK_SECONDS:
            return float(rate)
    return steps / duration


def random_clip(
    rule: ClipRule, length: int, rng: np.random.Generator, *, rate: float | None = None
) -> Int64[Tensor, "f"]:
    """A training clip of a video of `length` frames, as indices of these.

    `rate`: frames of the video for one at the target rate, for the rules that stretch the clip.

    What differs from the originals: PySlowFast decodes from the first frame at or behind the drawn start, which can
    lie one frame later than here; its single-precision arithmetic is done in double precision, with whole numbers kept
    whole. mmaction2's clips are those of one clip per video, without temporal jitter.
    """
    frames, stride = rule.frames, rule.stride
    whole, extent = span(frames, stride), frames * stride * (rate or 1.0)
    match rule.sampling:
        case "pyslowfast":
            start = rng.uniform(0, max(length - max(extent, 1.0), 0))
            return stretched_clip(length, frames=frames, extent=extent, start=start, short="repeat")
        case "mmaction2":
            start = int(rng.integers(max(1, _whole(length - max(extent, 1.0) + 1))))
            if rate is not None:
                return stretched_clip(length, frames=frames, extent=extent, start=start, short="loop")
            return clip_indices(length, frames=frames, stride=stride, start=start, short="loop")
        case "segments":
            edges = _segment_edges(length, frames)
            drawn = [int(rng.integers(low, high + 1)) for low, high in pairwise(edges)]
            return torch.tensor(drawn)
        case "videomae" | "vjepa2":
            return random_part(length, rng, frames=frames, stride=stride, videomae=rule.sampling == "videomae")
        case "torchcodec":
            start = random_start(length, whole, rng)
            return _own_frames(length, frames=frames, stride=stride, start=start, wrap=rule.short == "wrap")
        case _:
            start = random_start(length, whole, rng)
            return clip_indices(length, frames=frames, stride=stride, start=start, short=_vidtok_short(rule))


def regular_clips(rule: ClipRule, length: int, clips: int, *, rate: float | None = None) -> list[Int64[Tensor, "f"]]:
    """The testing clips of a video of `length` frames, as indices of these; `rate` as in `random_clip`.

    Segments with one clip take the middle frame of each, as PySlowFast does for Something-Something; clip i of several
    takes the frame at (i + 1) / (clips + 1) of each segment, as mmaction2's UniformSample. PySlowFast with its
    USE_OFFSET_SAMPLING places several clips, of videos at least as long as a clip, as mmaction2 does at a target rate;
    a single clip, and those of shorter videos, it places and fills otherwise. mmaction2's clips of a single frame are
    the middles of equal parts.
    """
    if clips < 1:
        raise ValueError(f"clips count from 1, got {clips}")
    frames, stride = rule.frames, rule.stride
    whole, extent = span(frames, stride), max(1.0, frames * stride * (rate or 1.0))
    match rule.sampling:
        case "pyslowfast":
            starts = [max(length - extent, 0.0) * i / clips for i in range(clips)]
            return [stretched_clip(length, frames=frames, extent=extent, start=s, short="repeat") for s in starts]
        case "mmaction2" if frames == 1:
            starts = [(2 * i + 1) * length // (2 * clips) for i in range(clips)]
        case "mmaction2" if rate is not None:
            spare = max(length - extent, 0.0)
            apart = _whole(spare / max(clips - 1, 1))
            starts = [_whole(spare / 2)] if clips == 1 else [i * apart for i in range(clips)]
            return [stretched_clip(length, frames=frames, extent=extent, start=s, short="loop") for s in starts]
        case "mmaction2":
            last = max(length - whole, 0)  # numpy's and Python's round agree: halves go to the even number
            starts = [last // 2] if clips == 1 else [round(i * last / (clips - 1)) for i in range(clips)]
        case "scenic":
            starts = linspace_starts(length, frames * stride, clips)
        case "torchcodec":
            starts = linspace_starts(length, whole, clips) if clips > 1 else [0]
            wrap = rule.short == "wrap"
            return [_own_frames(length, frames=frames, stride=stride, start=start, wrap=wrap) for start in starts]
        case "videomae":
            return videomae_clips(length, clips, frames=frames, stride=stride)
        case "vjepa2":
            return vjepa2_clips(length, clips, frames=frames, stride=stride)
        case "segments":
            return _regular_segments(length, frames, clips)
        case _:
            starts = linspace_starts(length, whole, clips)
    short = _vidtok_short(rule)
    return [clip_indices(length, frames=frames, stride=stride, start=start, short=short) for start in starts]


def stretched_clip(
    length: int, *, frames: int, extent: float, start: float | int, short: OwnShort
) -> Int64[Tensor, "f"]:
    """`frames` indices evenly from `start` to `start + extent - 1`, rounded down: a length of time, whatever the rate.

    At the source's own rate eight frames with stride 8 (extent 64) lie 9 apart: 0, 9, 18, … 63.
    """
    step = (max(extent, 1.0) - 1) / max(frames - 1, 1)
    indices = torch.tensor([_whole(start + k * step) for k in range(frames)])
    return indices.clamp(max=length - 1) if short == "repeat" else indices % length


def _own_frames(length: int, *, frames: int, stride: int, start: int, wrap: bool) -> Int64[Tensor, "f"]:
    """A clip that, behind the end, goes on with what it has taken: again from its first frame, or its last repeated."""
    inside = [index for index in range(start, start + span(frames, stride), stride) if index < length]
    more = inside * (frames // len(inside)) if wrap else inside[-1:] * (frames - len(inside))
    return torch.tensor((inside + more)[:frames])


def _vidtok_short(rule: ClipRule) -> OwnShort:
    return "repeat" if rule.short == "repeat" else "loop"


def _segment_edges(length: int, frames: int) -> list[int]:
    """Where `frames` equal parts of 0 … length - 1 begin and end; a frame on an edge belongs to both sides."""
    return [round(i * (length - 1) / frames) for i in range(frames + 1)]


def _regular_segments(length: int, frames: int, clips: int) -> list[Int64[Tensor, "f"]]:
    edges = _segment_edges(length, frames)
    if clips == 1:
        return [torch.tensor([(low + high) // 2 for low, high in pairwise(edges)])]
    inside = [(i + 1) * (length - 1) // (frames * (clips + 1)) for i in range(clips)]
    return [torch.tensor([low + offset for low in edges[:-1]]) for offset in inside]


def _whole(value: float | int) -> int:
    """Rounded down, but a value that only rounding noise keeps below a whole number is that number."""
    return floor(value + 1e-6)
