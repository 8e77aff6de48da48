"""The arithmetic of clips and crops in words."""

from jaxtyping import Float64, Int64
from torch import Tensor, arange

from vidtok.build import clip_rule
from vidtok.config import Config, DataConfig
from vidtok.video.protocols import STRETCHING
from vidtok.video.sample import span

RATES = (24, 25, 30, 60)
SHORT = {
    "vidtok": "begins anew at its first frame",
    "scenic": "begins anew at its first frame",
    "mmaction2": "begins anew at its first frame",
    "pyslowfast": "repeats its last frame",
    "torchcodec": "repeats the last frame that the clip takes",
    "segments": "gives some frames more than once",
}


def explain_config(config: Config, *, name: str) -> list[str]:
    """What a config says of clips and crops, whatever the video."""
    data, eval = config.data, config.eval
    short = "repeats its last frame" if data.short == "repeat" else SHORT[data.sampling]
    crops = "left, centre and right (top, centre and bottom)" if eval.crops == 3 else "the centre"
    lines = [
        name,
        f"clip      {_clip(data)}",
        f"          a video shorter than that {short}",
        f"training  {_training(data)}",
        f"          {_training_crop(data)}",
        f"testing   {eval.clips} clips x {eval.crops} crops = {eval.clips * eval.crops} views of each video",
        f"          the shorter side scaled to {data.short_side}, crops of {data.size} x {data.size}: {crops}",
        *_example(config),
    ]
    return lines


def _clip(data: DataConfig) -> str:
    if data.sampling == "segments":
        return f"{data.frames} frames, one from each of {data.frames} equal parts of the video (sampling segments)"
    if data.sampling == "pyslowfast" or (data.sampling in STRETCHING and data.target_fps is not None):
        length = data.frames * data.stride
        words = f"{data.frames} frames spread over {data.frames} x {data.stride} = {length} frames"
    else:
        length = span(data.frames, data.stride)
        words = f"{data.frames} frames x stride {data.stride}, a span of {length} frames"
    if data.target_fps is not None:
        return f"{words} at {data.target_fps:g} fps, whatever the video's rate = {length / data.target_fps:.2f} s"
    return f"{words} = " + ", ".join(f"{length / rate:.2f} s at {rate} fps" for rate in RATES)


def _training(data: DataConfig) -> str:
    many = f"{data.repeats} clips" if data.repeats > 1 else "a clip"
    return f"{many} of each video in each epoch, at random places (sampling {data.sampling})"


def _training_crop(data: DataConfig) -> str:
    if data.scale_jitter is not None:
        low, high = data.scale_jitter
        apart = ", rows and columns each by themselves" if data.scale_jitter_independent else ""
        box = f"the shorter side scaled to {low:g} to {high:g}{apart}, a random crop of {data.size} x {data.size}"
    else:
        low, high = data.scale or (0.25, 1.0)
        narrow, wide = data.ratio or (0.75, 1.3333)
        box = (
            f"a box of {100 * low:g} to {100 * high:g} % of the picture, {narrow:.3g} to {wide:.3g} times as wide as "
            f"high, scaled to {data.size} x {data.size}"
        )
    if data.sizes is not None:
        box += f" ({', '.join(map(str, data.sizes))} from step to step)"
    before = ", cut before colour conversion" if data.crop_in == "yuv" else ""
    return f"{box}{before}, {'every second clip mirrored' if data.flip else 'not mirrored'}"


def _example(config: Config, *, seconds: int = 10, fps: int = 30) -> list[str]:
    """Where the testing clips of an ordinary video lie."""
    pts_seconds = arange(seconds * fps).double() / fps
    clips = clip_rule(config.data).testing_clips(pts_seconds, config.eval.clips)
    first, last = [int(clip[0]) for clip in clips], int(clips[-1][-1])
    starts = f"{', '.join(map(str, first))} = {', '.join(f'{frame / fps:.2f}' for frame in first)} s"
    return [
        f"          of {seconds} s at {fps} fps (frames 0 to {seconds * fps - 1}) clips begin at frames {starts}; "
        f"the last ends at {last}"
    ]


def place_words(pts_seconds: Float64[Tensor, "n"], fps: float) -> str:
    """How many frames a video has, and their rate."""
    frames = len(pts_seconds)
    if frames < 2:
        return "1 frame"
    gaps = pts_seconds.diff()
    # Clocks of whole milliseconds round each gap by up to one.
    steady = float(gaps.max() - gaps.min()) < 0.0025
    rate = f"{fps:.5g} fps"
    if not steady:
        rate += f" on average, {1 / float(gaps.max()):.3g} to {1 / float(gaps.min()):.3g}"
    return f"{frames} frames in {float(gaps.sum()) * frames / (frames - 1):.2f} s, {rate}"


def clip_words(indices: Int64[Tensor, "f"], pts_seconds: Float64[Tensor, "n"]) -> str:
    """A clip's frames, and when they are shown."""
    runs = even_runs(indices.tolist())
    seconds = (pts_seconds[indices] - pts_seconds[0]).tolist()
    if len(runs) > 2 or (len(runs) == 2 and len(indices) <= 12):
        listed = [str(index) for index in indices.tolist()]
        words = f"frames {', '.join(listed if len(listed) <= 12 else [*listed[:7], '…', *listed[-3:]])}"
    else:
        words = "frames " + ", then ".join(run_words(*run) for run in runs)
    return f"{words}; {min(seconds):.2f} to {max(seconds):.2f} s"


def even_runs(indices: list[int]) -> list[tuple[int, int, int]]:
    """The indices as (first, step, count) of parts in which they lie evenly, each as long as it can be."""
    runs, first = [], 0
    while first < len(indices):
        step, stop = (indices[first + 1] - indices[first] if first + 1 < len(indices) else 1), first + 1
        while stop < len(indices) and indices[stop] - indices[stop - 1] == step and step >= 0:
            stop += 1
        runs.append((indices[first], step, stop - first))
        first = stop
    return runs


def run_words(first: int, step: int, count: int) -> str:
    if count == 1:
        return f"{first}"
    return f"{first} ({count} times)" if step == 0 else f"{first} to {first + step * (count - 1)}, one every {step}"
