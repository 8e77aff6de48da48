"""The arithmetic of clips and crops in words."""

from typing import get_args

import torch

from tests.conftest import ROOT
from vidtok.choices import Sampling
from vidtok.config_io import load_config
from vidtok.data.transforms import BoxReach
from vidtok.runs.explain_words import SHORT, clip_words, even_runs, explain_config, place_words, reach_words

CFG = str(ROOT / "configs/k400_vivit_tl8.yaml")


def words(*overrides):
    return "\n".join(explain_config(load_config(CFG, overrides), name="k400"))


def test_the_arithmetic_of_clips():
    said = words("data.frames=16", "data.stride=4")
    assert "16 frames x stride 4, a span of 61 frames = 2.54 s at 24 fps, 2.44 s at 25 fps, 2.03 s at 30 fps" in said
    assert "4 clips x 3 crops = 12 views" in said
    assert "clips begin at frames 0, 79, 159, 239 = 0.00, 2.63, 5.30, 7.97 s; the last ends at 299" in said
    assert "a span of 63 frames at 25 fps, whatever the video's rate = 2.52 s" in words("data.target_fps=25.0")


def test_each_rule_in_words():
    said = words("data.sampling=pyslowfast", "data.frames=8", "data.stride=8", "data.target_fps=30.0")
    assert "8 frames spread over 8 x 8 = 64 frames at 30 fps, whatever the video's rate = 2.13 s" in said
    assert "repeats its last frame" in said
    assert "clips begin at frames 0, 59, 118, 177" in said
    said = words("data.sampling=segments", "data.stride=1")
    assert "32 frames, one from each of 32 equal parts" in said
    assert "begins anew" in words()
    assert "repeats its last frame" in words("data.short=repeat")


def test_training_in_words():
    assert "a box of 25 to 100 % of the picture, 0.75 to 1.33 times as wide as high" in words()
    jitter = ("data.scale=null", "data.scale_jitter=[256, 320]")
    said = words(*jitter, "data.repeats=2", "data.crop_in=yuv", "data.flip=false")
    assert "2 clips of each video" in said
    assert "the shorter side scaled to 256 to 320, a random crop of 224 x 224, cut before colour" in said
    assert "not mirrored" in said
    assert "(160, 224, 288 from step to step)" in words("data.sizes=[160, 224, 288]")


def test_what_cannot_be_had_is_said():
    """In 16:9 the largest box within these ratios has 70 % of the picture."""
    said = words("data.scale=[0.75, 1.0]", "data.ratio=[0.8, 1.25]")
    all_the_same = "no box fits in 100 % of the draws (the largest has 70 %): they all get that same central box"
    assert f"of a picture 16:9 {all_the_same}" in said
    assert f"of a picture 9:16 {all_the_same}" in said
    assert "of a picture 4:3 boxes of 75 to 94 % fit" in said
    assert "1:1" not in said
    squeezed = words("data.scale=[0.75, 1.0]", "data.fit=squeeze", "data.short_side=null", "eval.crops=1")
    assert "of a picture" not in squeezed
    assert "0.75 to 1.33 times as wide as the picture, scaled to 224 x 224" in squeezed
    assert "the whole picture scaled to 224 x 224, bent where its shape is another one (data.fit squeeze)" in squeezed
    wide = words("data.scale=[0.75, 1.0]", "data.ratio=[0.9, 1.1]", "data.size=[224, 384]")
    assert "times as wide as 224 x 384" in wide
    assert "16:9 no box" not in wide


def test_a_clip_longer_than_a_video_is_said():
    said = words("data.frames=64", "data.stride=32")
    assert "10 s at 30 fps (300 frames) is shorter than a clip: all clips are the same, and it begins anew" in said
    assert "clips begin at frames" not in said
    wrapped = words("data.frames=64", "data.stride=32", "data.sampling=torchcodec", "data.short=wrap")
    assert "begins the clip anew at the clip's own first frame" in wrapped


def test_clips_in_words():
    pts = torch.arange(60).double() / 30  # by the clock of the file
    assert clip_words(torch.tensor([4, 8, 12]), pts) == "frames 4 to 12, one every 4; 0.13 to 0.40 s"
    assert clip_words(torch.tensor([50, 56, 2]), pts) == "frames 50, 56, 2; 0.07 to 1.87 s"
    looped = clip_words(torch.cat([torch.arange(0, 60, 4), torch.arange(4)]), pts)
    assert looped == "frames 0 to 56, one every 4, then 0 to 3, one every 1; 0.00 to 1.87 s"
    repeated = clip_words(torch.arange(44, 62, 1).clamp(max=58), pts)
    assert repeated == "frames 44 to 58, one every 1, then 58 (3 times); 1.47 to 1.93 s"
    assert clip_words(torch.tensor([1, 4, 5, 9, 11]), pts) == "frames 1, 4, 5, 9, 11; 0.03 to 0.37 s"
    late = clip_words(torch.tensor([4, 8, 12]), pts + 7)  # sound before the pictures
    assert late == "frames 4 to 12, one every 4; 7.13 to 7.40 s"
    many = torch.tensor([0, 1, 3] * 10)
    assert clip_words(many, pts).startswith("frames 0, 1, 3, 0, 1, 3, 0, …, 0, 1, 3;")


def test_rates_in_words():
    assert place_words(torch.arange(50).double() / 25, 25.0) == "50 frames in 2.00 s, 25 fps"
    uneven = torch.tensor([0.0, 0.1, 0.15, 0.3], dtype=torch.float64)
    assert place_words(uneven, 10.0) == "4 frames in 0.40 s, 10 fps on average, 6.67 to 20"
    assert place_words(uneven[:1], 1.0) == "1 frame"


def test_runs_of_even_steps():
    assert even_runs([5]) == [(5, 1, 1)]
    assert even_runs([0, 2, 4, 6]) == [(0, 2, 4)]
    assert even_runs([0, 2, 4, 5, 6]) == [(0, 2, 3), (5, 1, 2)]
    assert even_runs([7, 7, 7]) == [(7, 0, 3)]
    assert even_runs([8, 4, 0]) == [(8, -4, 1), (4, -4, 1), (0, 1, 1)]


def test_every_rule_says_what_becomes_of_short_videos():
    for sampling in get_args(Sampling):
        if sampling in SHORT:
            stride = "data.stride=1" if sampling == "segments" else "data.stride=2"
            assert f"a video shorter than that {SHORT[sampling]}" in words(f"data.sampling={sampling}", stride)
    assert set(SHORT) <= set(get_args(Sampling))
    assert "repeats the last frame that the clip takes" in words("data.sampling=torchcodec", "data.short=repeat")
    said = words("data.sampling=pytorchvideo_uniform", "eval.clips=5")
    assert "at most 5 clips x 3 crops of each video: as many windows as it has" in said
    assert "frames spread over" in said
    assert "frames spread over" in words("data.sampling=mmaction2", "data.target_fps=25.0")
    assert "frames x stride" in words("data.sampling=mmaction2")


def test_every_form_of_crop_is_said():
    said = words("eval.crops=1", "data.short_side=256")
    assert "the shorter side scaled to 256, crops of 224 x 224: the centre" in said
    assert "crops of 224 x 224: left, centre and right (top, centre and bottom)" in words("data.short_side=256")
    assert "the four corners and the centre, and these mirrored" in words("eval.crops=10")
    padded = words("data.fit=pad", "data.short_side=null", "eval.crops=1")
    assert "of the picture and its bars" in padded
    assert "with black bars where its shape is another one (data.fit pad)" in padded
    jitter = ("data.scale=null", "data.scale_jitter=[256, 320]")
    assert "rows and columns each by themselves" in words(*jitter, "data.scale_jitter_independent=true")
    assert "rows and columns" not in words(*jitter)
    assert "of a picture" not in words(*jitter)
    assert "every second clip mirrored" in words("data.flip=true")
    assert "a clip of each video in each epoch" in words()


def test_what_a_range_comes_to():
    data = load_config(CFG, ["data.scale=[0.5, 1.0]"]).data
    for largest, central, said in (
        (1.0, 0.0, None),
        (1.0, 0.5, None),
        (1.0, 0.51, "no box fits in 51 % of the draws (the largest has 100 %)"),
        (0.4, 0.0, "no box fits in 0 % of the draws (the largest has 40 %)"),
        (0.5, 0.0, "boxes of 50 to 50 % fit"),
        (0.9, 0.0, "boxes of 50 to 90 % fit"),
    ):
        found = reach_words(BoxReach(largest=largest, central=central), data)
        assert found is None if said is None else found.startswith(said)


def test_twelve_frames_are_listed_and_thirteen_are_not():
    pts = torch.arange(200).double() / 30
    for count, listed in ((12, True), (13, False)):
        two = torch.cat([torch.arange(count - 3), torch.tensor([50, 60, 70])])
        said = clip_words(two, pts)
        assert said.startswith(
            "frames 0, 1, 2" if listed else "frames 0 to 9, one every 1, then 50 to 70, one every 10"
        )
    three = torch.tensor([0, 1, 2, 50, 60, 70, 100, 103, 106, 110, 120, 130])
    assert clip_words(three, pts).startswith("frames 0, 1, 2, 50, 60, 70, 100, 103, 106, 110, 120, 130; ")
