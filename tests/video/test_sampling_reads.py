"""The number that is drawn in a picture is the index that was asked for: every rule, backend and rate."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from tests.video.clips import RATES, make_clip, numbered_picture, read_numbers
from tests.video.test_conformance import DECODERS
from vidtok.video.protocols import STRETCHING, ClipRule
from vidtok.video.reader import open_video

SAMPLINGS = ("vidtok", "scenic", "mmaction2", "pyslowfast", "torchcodec", "segments")
FRAMES, SIZE = 50, (48, 64)
# 1/60 s apart, or 2, 4 or 5 times that.
VARIABLE = np.cumsum([0, *np.random.default_rng(0).choice([1, 2, 4, 5], size=FRAMES - 1)]).tolist()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A file for each rate, with keyframes every 12 and B-frames, and the same pictures as a folder."""
    folder = tmp_path_factory.mktemp("rates")
    options = {"x264-params": "keyint=12:min-keyint=12:bframes=2:b-adapt=0:scenecut=0"}
    for name, fps in RATES.items():
        make_clip(folder / f"{name}.mp4", frames=FRAMES, fps=fps, size=SIZE, options=options)
    ticks = [int(tick) for tick in VARIABLE]
    make_clip(folder / "variable.mp4", frames=FRAMES, fps=Fraction(60), size=SIZE, options=options, ticks=ticks)
    (folder / "pictures").mkdir()
    for number in range(FRAMES):
        Image.fromarray(numbered_picture(number, size=SIZE)).save(folder / "pictures" / f"{number}.png")
    return folder


def read_back(video, rate, fps):
    generator = np.random.default_rng(5)
    for sampling in SAMPLINGS:
        for target_fps in (None, 12.5) if sampling != "segments" else (None,):
            stride = 1 if sampling == "segments" else 3
            rule = ClipRule(frames=4, stride=stride, target_fps=target_fps, sampling=sampling)
            planned = [*rule.testing_clips(video.pts_seconds, 3), rule.training_clip(video.pts_seconds, generator)]
            indices = torch.cat(planned)
            frames = video.frames_at(indices.tolist())
            assert read_numbers(frames.pixels.numpy()) == indices.tolist(), (sampling, target_fps)
            if target_fps is not None and sampling not in STRETCHING:
                shown = frames.pts_seconds.view(-1, 4)
                late = (shown - shown[:, :1]) - torch.arange(4) * 3 / target_fps
                longest = 5 / 60 if rate == "variable" else 1 / fps
                assert late.abs().max() <= longest + 0.001, (sampling, late)


@pytest.mark.parametrize("rate", [*RATES, "variable"])
@pytest.mark.parametrize("backend", ["pyav", *DECODERS])
def test_files(clips, backend, rate):
    with open_video(clips / f"{rate}.mp4", backend=backend) as video:
        assert len(video) == FRAMES
        if rate == "variable":
            assert torch.allclose(video.pts_seconds, torch.tensor(VARIABLE, dtype=torch.float64) / 60, atol=1e-4)
        read_back(video, rate, float(RATES.get(rate, 60)))


@pytest.mark.parametrize("rate", RATES)
def test_folders_of_pictures(clips, rate):
    fps = float(RATES[rate])
    with open_video(clips / "pictures", backend="frames", fps=fps) as video:
        read_back(video, rate, fps)
