"""The arithmetic of clips and crops in words."""

from jaxtyping import Float64, Int64
from torch import Tensor, arange

from vidtok.build_data import build_crop, clip_rule
from vidtok.config import Config
from vidtok.config_data import DataConfig
from vidtok.data.geometry import size_words
from vidtok.data.transforms import BoxReach
from vidtok.data.views import JitteredCrop
from vidtok.video.protocols import IN_SECONDS, STRETCHING
from vidtok.video.sample import span

RATES = (24, 25, 30, 60)
SHORT = {
    "vidtok": "begins anew at its first frame",
    "scenic": "begins anew at its first frame",
    "mmaction2": "begins anew at its first frame",
    "pyslowfast": "repeats its last frame",
    "torchcodec": "repeats the last frame that the clip takes",
    "segments": "gives some frames more than once",
    "pytorchvideo": "is stretched over it: some frames more than once",
    "pytorchvideo_uniform": "is stretched over it: some frames more than once",
}
CROPS = {
    1: "the centre",
    3: "left, centre and right (top, centre and bottom)",
    10: "the four corners and the centre, and these mirrored",
}
WHOLE = {"pad": "with black bars where its shape is another one", "squeeze": "bent where its shape is another one"}
SHAPES = ((16, 9), (4, 3), (1, 1), (9, 16))
"""Width and height of pictures that are met every day."""


def explain_config(config: Config, *, name: str) -> list[str]:
    """What a config says of clips and crops, whatever the video."""
    data = config.data
    lines = [
        name,
        f"clip      {_clip(data)}",
        f"          a video shorter than that {_short(data)}",
        f"training  {_training(data)}",
        f"          {_training_crop(data)}",
        *_reached(data),
        f"testing   {_count(config)}",
        f"          {_testing_crop(config)}",
        *_example(config),
    ]
    return lines


def _short(data: DataConfig) -> str:
    if data.short == "wrap":
        return "begins the clip anew at the clip's own first frame"
    return "repeats its last frame" if data.short == "repeat" and data.sampling == "vidtok" else SHORT[data.sampling]


def _clip(data: DataConfig) -> str:
    if data.sampling == "segments":
        return f"{data.frames} frames, one from each of {data.frames} equal parts of the video (sampling segments)"
    if data.sampling in ("pyslowfast", *IN_SECONDS) or (data.sampling in STRETCHING and data.target_fps is not None):
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


def _count(config: Config) -> str:
    clips, crops = config.eval.clips, config.eval.crops
    if config.data.sampling == "pytorchvideo_uniform":
        return f"at most {clips} clips x {crops} crops of each video: as many windows as it has"
    return f"{clips} clips x {crops} crops = {clips * crops} views of each video"


def _testing_crop(config: Config) -> str:
    data, size = config.data, size_words(config.data.size)
    if data.fit != "crop":
        return f"the whole picture scaled to {size}, {WHOLE[data.fit]} (data.fit {data.fit})"
    return f"the shorter side scaled to {data.short_side}, crops of {size}: {CROPS[config.eval.crops]}"


def _reached(data: DataConfig) -> list[str]:
    """What the ranges of the training crop come to in pictures of everyday shapes, where they cannot be had."""
    crop = build_crop(data)
    if isinstance(crop, JitteredCrop):
        return []
    lines = []
    for width, height in SHAPES:
        picture = (60 * height, 60 * width)
        words = reach_words(crop.reach(*picture, size=data.size), data)
        if words is not None:
            lines.append(f"          of a picture {width}:{height} {words}")
    return lines


def reach_words(reach: BoxReach, data: DataConfig) -> str | None:
    """What a range of training crops comes to in a picture; None where all of it can be had."""
    low, high = data.scale or (0.25, 1.0)
    if reach.largest < low - 1e-3 or reach.central > 0.5:
        return (
            f"no box fits in {100 * reach.central:.0f} % of the draws (the largest has {100 * reach.largest:.0f} %): "
            f"they all get that same central box"
        )
    if reach.largest < high - 1e-3:
        return f"boxes of {100 * low:g} to {100 * reach.largest:.0f} % fit"
    return None


def _training_crop(data: DataConfig) -> str:
    size = size_words(data.size)
    if data.scale_jitter is not None:
        low, high = data.scale_jitter
        apart = ", rows and columns each by themselves" if data.scale_jitter_independent else ""
        box = f"the shorter side scaled to {low:g} to {high:g}{apart}, a random crop of {size}"
    else:
        low, high = data.scale or (0.25, 1.0)
        narrow, wide = data.ratio or (0.75, 1.3333)
        square = data.fit != "squeeze" and isinstance(data.size, int)
        shape = "as wide as high" if square else f"as wide as {'the picture' if data.fit == 'squeeze' else size}"
        of = "the picture and its bars" if data.fit == "pad" else "the picture"
        box = f"a box of {100 * low:g} to {100 * high:g} % of {of}, {narrow:.3g} to {wide:.3g} times {shape}"
        box += f", scaled to {size}"
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
    if clip_rule(config.data).is_longer_than(pts_seconds):
        return [
            f"          a video of {seconds} s at {fps} fps ({seconds * fps} frames) is shorter than a clip: all clips "
            f"are the same, and it {_short(config.data)}"
        ]
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
    """A clip's frames, and when they are shown by the file's clock."""
    runs = even_runs(indices.tolist())
    seconds = pts_seconds[indices].tolist()
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
