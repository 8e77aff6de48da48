"""Which frames of a video without an end go to a model, by the rule by which its clips lie. No pixels touched.

    vidtok, scenic, torchcodec, videomae, segments    as in a clip
    mmaction2, pyslowfast, pytorchvideo, vjepa2       a clip that is stretched to a length has its frames evenly there,
                                                      and windows go on with that pace: a frame can be the one beside

A pace counts source frames (`every`), or names times at which a frame is shown.
"""

from dataclasses import dataclass

from vidtok.errors import ModelError
from vidtok.video.protocols import IN_SECONDS, STRETCHING, ClipRule
from vidtok.video.sample import CLOCK_SECONDS


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Frames `first_seconds + k · apart_seconds` from the beginning, or every so many of the source's own."""

    first_seconds: float = 0.0
    apart_seconds: float
    every: int | None = None
    """Source frames from one to the next, which go before times where they are whole."""


def pace_of(rule: ClipRule, *, source_fps: float | int, window_seconds: float | None = None) -> Pace:
    """The pace of a model's clips in a source of this rate.

    `window_seconds`: how long a window is where clips are taken from the whole of a video (`segments`), which nothing
    else tells. Raises ModelError where it is missing there, and where it is given for a rule that has its own.
    """
    if rule.sampling == "segments":
        if window_seconds is None:
            raise ModelError(
                "this model takes its frames from the whole of a video: say how many seconds a window has: "
                "`window_seconds`"
            )
        apart = window_seconds / rule.frames
        return Pace(first_seconds=apart / 2, apart_seconds=apart)
    if window_seconds is not None:
        raise ModelError(
            "a window is as long as this model's clips, which have a length of their own: leave out `window_seconds`"
        )
    rate = rule.target_fps or source_fps
    if rule.frames > 1 and (rule.sampling in IN_SECONDS or (rule.sampling in STRETCHING and stretches(rule))):
        extent = rule.frames * rule.stride * source_fps / rate
        return Pace(apart_seconds=(extent - 1) / (rule.frames - 1) / source_fps)
    if rule.frames > 1 and rule.sampling == "vjepa2":
        return Pace(apart_seconds=rule.frames * rule.stride / (rule.frames - 1) / rate)
    return Pace(apart_seconds=rule.stride / rate, every=None if rule.target_fps else rule.stride)


def stretches(rule: ClipRule) -> bool:
    """PySlowFast stretches at any rate, mmaction2 at a target rate alone."""
    return rule.sampling == "pyslowfast" or rule.target_fps is not None


class Picker:
    """How often each frame of a stream is taken, told when the next one comes: a frame is shown until then.

    Times within half a millisecond count as equal, as in `vidtok.video.sample.resample`; a frame that begins when one
    is due is taken at once. Times count from the first frame.
    """

    def __init__(self, pace: Pace):
        self.pace = pace
        self._seen = self._taken = 0
        self._begin = 0.0

    def see(self, seconds: float) -> tuple[int, int]:
        """How often the frame before this one is (still) taken, and how often this one is at once."""
        if self._seen == 0:
            self._begin = seconds
        self._seen += 1
        if self.pace.every is not None:
            return 0, int((self._seen - 1) % self.pace.every == 0)
        now = seconds - self._begin
        before = self._due_until(now - CLOCK_SECONDS, inclusive=False) if self._seen > 1 else 0
        return before, self._due_until(now + CLOCK_SECONDS, inclusive=True)

    def end(self, seconds: float) -> int:
        """How often the last frame is still taken, which is shown until then."""
        if self.pace.every is not None:
            return 0
        return self._due_until(seconds - self._begin - CLOCK_SECONDS, inclusive=False)

    def _due_until(self, seconds: float, *, inclusive: bool) -> int:
        count = 0
        while True:
            due = self.pace.first_seconds + self._taken * self.pace.apart_seconds
            if due > seconds or (due == seconds and not inclusive):
                return count
            self._taken += 1
            count += 1
