"""Every backend over the same files: same indices, same pictures, same times. What one cannot do is listed, with the
reason, and the list is tested too: a file that starts to work has to leave it.

`pyav` is held against PyAV itself in test_real_files and against the drawn numbers everywhere; the others against it.
At the source's size all give the same pictures (LARGEST); scaled they differ by their filters (SCALED_MEAN).
"""

import json
import re
import selectors
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest
import torch
from av.stream import Disposition
from PIL import Image

from tests.video.clips import GROUPS, RATES, make_clip, numbered_picture, read_numbers, remux
from tests.video.test_real_files import DECODABLE, REAL, VIDEOS, needs_videos
from vidtok.config_data import DataConfig
from vidtok.errors import ConfigError, DecodeError
from vidtok.video.reader import BACKENDS, check_backend, open_video

# Largest difference from `pyav` in grey levels at the source's size, by backend and colour range.
LARGEST = {
    ("torchcodec", "limited"): 1,
    ("torchcodec", "full"): 1,
    ("torchcodec", "ten bits"): 40,  # at edges, where the chroma is interpolated in another way
    ("decord", "limited"): 1,
    ("decord", "full"): 1,
    ("decord", "ten bits"): 48,
}
# Mean difference when scaled: torchvision's filter on RGB against swscale's on the way to RGB.
SCALED_MEAN = 3.0


def missing(backend: str) -> str | None:
    try:
        check_backend(backend)
    except ConfigError as error:
        return str(error)
    return None


DECODERS = [
    pytest.param(name, marks=pytest.mark.skipif((why := missing(name)) is not None, reason=why or "it loads"))
    for name in ("torchcodec", "decord")
]


def test_the_config_names_every_backend():
    assert set(get_args(DataConfig.model_fields["backend"].annotation)) == set(BACKENDS)


# ---- generated files: the number of each picture is drawn into it ----


def edit_list(folder: Path) -> Path:
    whole = make_clip(folder / "whole.mp4", options=GROUPS["open groups"])
    return remux(whole, folder / "clip.mp4", shift=-7 * 512, avoid_negative_ts="disabled")


def cut_short(folder: Path) -> Path:
    path = make_clip(folder / "clip.mp4", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def size_change(folder: Path) -> Path:
    parts = [
        make_clip(folder / "small.ts", frames=20), make_clip(folder / "large.ts", frames=20, size=(128, 192))
    ]  # fmt: skip
    (folder / "clip.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    return folder / "clip.ts"


def rotated(folder: Path, *, rotation: int) -> Path:
    """Pictures as a turned camera writes them; the metadata ask to turn them back."""
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = (96, 64) if rotation % 180 else (64, 96)
        stream.set_display_rotation(rotation)
        for number in range(12):
            turned = np.ascontiguousarray(np.rot90(numbered_picture(number), k=-rotation // 90))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(turned)))
        container.mux(stream.encode(None))
    return folder / "clip.mp4"


def two_streams(folder: Path) -> Path:
    """The second one is the default, and so the best; the first shows other numbers."""
    with av.open(str(folder / "clip.mkv"), "w") as container:
        streams = [container.add_stream("libx264", rate=30) for _ in range(2)]
        for stream, (y, x) in zip(streams, ((48, 64), (96, 128)), strict=True):
            stream.height, stream.width = y, x
        streams[0].disposition, streams[1].disposition = Disposition(0), Disposition.default
        for number in range(12):
            for stream, offset in zip(streams, (100, 0), strict=True):
                picture = numbered_picture(number + offset, size=(stream.height, stream.width))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        for stream in streams:
            container.mux(stream.encode(None))
    return folder / "clip.mkv"


def clip(name: str, **options) -> Callable[[Path], Path]:
    return lambda folder: make_clip(folder / name, **options)


B_FRAMES = GROUPS["keyframe every 12, B-frames"]
UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 9, size=60)).tolist()
RANGES = {"full range": "full", "grey": "full", "ten bits": "ten bits"}
CASES: dict[str, Callable[[Path], Path]] = {
    **{f"{name} per second": clip("clip.mp4", fps=rate, options=B_FRAMES) for name, rate in RATES.items()},
    "variable rate": clip("clip.mp4", ticks=UNEVEN, fps=Fraction(90), options=B_FRAMES),
    "variable rate, no frame count": clip("clip.mkv", ticks=UNEVEN, fps=Fraction(90), options=B_FRAMES),
    **{f"mp4, {name}": clip("clip.mp4", options=options) for name, options in GROUPS.items()},
    **{f"mkv, {name}": clip("clip.mkv", options=options) for name, options in GROUPS.items()},
    "no frame count": clip("clip.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
    "wrong frame count": cut_short,
    "edit list": edit_list,
    "first time far from zero": clip("clip.mkv", ticks=range(3000, 3060)),
    "odd size": clip("clip.mp4", frames=12, size=(65, 97), pix_fmt="yuv444p"),
    "ten bits": clip("clip.mp4", frames=12, pix_fmt="yuv420p10le"),
    "two fields": clip("clip.mp4", frames=12, options={"x264-params": "tff=1"}),
    "one frame": clip("clip.mp4", frames=1),
    "tiny": clip("clip.mp4", frames=12, size=(16, 24)),
    "grey": clip("clip.mp4", frames=12, pix_fmt="gray"),
    "full range": clip("clip.mp4", frames=12, codec="mjpeg", pix_fmt="yuvj420p"),
    **{f"rotated by {a}": (lambda folder, a=a: rotated(folder, rotation=a)) for a in (90, 180, -90)},
    "two video streams": two_streams,
    "VP9": clip(
        "clip.webm", codec="libvpx-vp9", options={"b": "2M", "auto-alt-ref": "1", "lag-in-frames": "16", "g": "20"}
    ),
    "HEVC": clip("clip.mp4", codec="libx265", options={"x265-params": "bframes=3:keyint=12:log-level=none"}),
    "size change": size_change,
    "transport stream": clip("clip.ts", options=B_FRAMES),
    "program stream": clip("clip.mpg", codec="mpeg2video", options={"bf": "2", "b": "2M"}, fps=Fraction(25)),
    "AVI without B-frames": clip("clip.avi", codec="mpeg4", options={"b": "2M"}),
    "AVI with B-frames": clip("clip.avi", options=B_FRAMES),
}
FIRST_NUMBER = {"edit list": 7}

# What a backend cannot do: the reason is in the message.
SEEKS = "finds wrong frames"
REPLACED = "recovered from nearest frames"
CANNOT = {
    ("torchcodec", "size change"): f"no usable times.*{SEEKS}",
    ("torchcodec", "transport stream"): f"transport stream.*{SEEKS}",
    ("torchcodec", "program stream"): f"program stream.*{SEEKS}",
    ("torchcodec", "AVI with B-frames"): f"no usable times.*{SEEKS}",
    ("decord", "size change"): REPLACED,
    ("decord", "transport stream"): REPLACED,
    ("decord", "wrong frame count"): "av_read_frame failed",
    ("decord", "two video streams"): "2 video streams",
    ("decord", "tiny"): "narrow",
}


def refusal(path: Path, backend: str, indices: list[int]) -> str:
    with pytest.raises(DecodeError) as raised:
        with open_video(path, backend=backend) as video:
            video.frames_at(indices)
    return str(raised.value)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", DECODERS)
def test_generated_files(tmp_path: Path, backend: str, case: str):
    path = CASES[case](tmp_path)
    with open_video(path) as video:
        indices = [len(video) - 1, 0, *np.random.default_rng(1).integers(len(video), size=9).tolist()]
        whole, scaled = video.frames_at(indices), video.frames_at(indices, short_side=48)
        size, length, fps = video.size, len(video), video.fps
    if (backend, case) in CANNOT:
        message = refusal(path, backend, indices)
        assert re.search(CANNOT[backend, case], message)
        assert message.startswith(f"{path}: ")
        return
    with open_video(path, backend=backend) as video:
        assert (video.size, len(video), video.fps) == (size, length, fps)
        got, got_scaled = video.frames_at(indices), video.frames_at(indices, short_side=48)
        again = video.frames_at(indices[::-1])
    assert torch.equal(got.pts_seconds, whole.pts_seconds)
    if case != "tiny":
        first = FIRST_NUMBER.get(case, 0)
        assert read_numbers(got.pixels.numpy()) == [index + first for index in indices]
        assert read_numbers(got_scaled.pixels.numpy()) == [index + first for index in indices]
    assert torch.equal(again.pixels, got.pixels.flip(0))
    largest = int((got.pixels.int() - whole.pixels.int()).abs().max())
    assert largest <= LARGEST[backend, RANGES.get(case, "limited")]
    assert got_scaled.pixels.shape == scaled.pixels.shape
    assert float((got_scaled.pixels.float() - scaled.pixels.float()).abs().mean()) < SCALED_MEAN


@pytest.mark.parametrize("case", ["29.97 per second", "odd size", "grey", "size change", "AVI with B-frames"])
def test_pictures_of_a_folder_are_those_of_the_video(tmp_path: Path, case: str):
    path = CASES[case](tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    with open_video(path) as video:
        whole = video.frames_at(range(len(video)))
        fps = video.fps
    for index, picture in enumerate(whole.pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"img_{index}.png")
    indices = [len(whole) - 1, 0, 9, 10, 2]
    with open_video(folder, backend="frames", fps=fps) as video:
        assert len(video) == len(whole)
        assert video.size == whole.pixels.shape[-2:]
        got = video.frames_at(indices)
    assert torch.equal(got.pixels, whole.pixels[indices])
    if case != "grey":
        shown = (whole.pts_seconds - whole.pts_seconds[0])[indices]
        assert got.pts_seconds.tolist() == pytest.approx(shown.tolist(), abs=2e-3)


# ---- real files ----

# By a pattern of the path: what the message says. A file under a pattern that can be read fails its test.
B_FRAME_AVI = (
    *("*/trunc50_mpeg4.avi", "*/v_ApplyEyeMakeup_*.avi", "*/S001C001P001R001A001_rgb.avi", "*/mmaction2/test.avi"),
    *("*/torchvision/RATRACE*.avi", "*/torchvision/Sch*.avi", "*/torchvision/Tr*.avi", "*/torchvision/hmdb51*.avi"),
)
READ_BY_DECORD = ("*/sample_h263.ts", "*/sample_h264_iframes_only.ts")
REFUSED = {
    "torchcodec": {
        "*.ts": f"transport stream.*{SEEKS}|no usable times.*{SEEKS}",
        "*.ps": f"program stream.*{SEEKS}",
        "*.mpg": f"program stream.*{SEEKS}",
        **dict.fromkeys(B_FRAME_AVI, f"no usable times.*{SEEKS}"),
        "*/cbcs.mp4": "Failed to read frame",  # encrypted
    },
    "decord": {
        "*.ts": f"{REPLACED}|Unable to handle EOF",
        "*.ps": "Unable to handle EOF",
        "*.mpg": REPLACED,
        "*/cbcs.mp4": "Cannot create buffer source",  # encrypted
        "*/trunc60_faststart_h264.mp4": "av_read_frame failed",
        "*/sample_av1.mkv": "cannot find video stream",  # its FFmpeg is of 2018
        **dict.fromkeys(("*/gif_renamed.mp4", "*/no_duration.webm", "*/small/webm.webm"), "broken metadata"),
        **dict.fromkeys(("*/tiny16x16.mp4", "*/-video-with-dash-.mp4", "*/bitmap.mp4"), "narrow"),
    },
}
PATIENCE_SECONDS = 40


@cache
def compared(backend: str) -> dict[str, dict]:
    """The comparison's line for every real file; `hang` or `crash` for one that its process did not come back from."""
    left = [*(str(VIDEOS / "hard" / row["path"]) for row in DECODABLE), *map(str, REAL)]
    found: dict[str, dict] = {}
    while left:
        with subprocess.Popen(
            [sys.executable, "-m", "tests.video.compare", backend, *left], stdout=subprocess.PIPE, text=True
        ) as process, selectors.DefaultSelector() as ready:  # fmt: skip
            assert process.stdout is not None
            ready.register(process.stdout, selectors.EVENT_READ)
            while left:
                end = "crash"
                if not ready.select(PATIENCE_SECONDS):
                    process.kill()
                    end = "hang"
                    line = ""
                else:
                    line = process.stdout.readline()
                found[left.pop(0)] = json.loads(line) if line else {end: True}
                if not line:
                    break
    return found


REAL_FILES = [*(VIDEOS / "hard" / row["path"] for row in DECODABLE), *REAL]


@needs_videos
@pytest.mark.slow
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("backend", DECODERS)
def test_real_files(backend: str, path: Path):
    got = compared(backend)[str(path)]
    assert not {"hang", "crash"} & got.keys(), got
    reasons = [reason for pattern, reason in REFUSED[backend].items() if fnmatch(str(path), pattern)]
    if backend == "decord" and any(fnmatch(str(path), pattern) for pattern in READ_BY_DECORD):
        reasons = []
    if reasons:
        assert "error" in got, "this file works now: take it off the list"
        assert any(re.search(reason, got["error"]) for reason in reasons), got["error"]
        assert str(path) in got["error"]
        return
    assert "error" not in got, got["error"]
    assert got["largest"] <= LARGEST[backend, "limited"]
    assert got["scaled_mean"] < SCALED_MEAN
