"""The rules of other frameworks against numbers that were worked out by hand, and against plain loops."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from vidtok.video.protocols import ClipRule, _own_frames, nominal_fps, regular_clips, stretched_clip

NAMES = ("vidtok", "scenic", "mmaction2", "pyslowfast", "torchcodec", "pytorchvideo", "pytorchvideo_uniform")


def rule(sampling, **options):
    return ClipRule(**{"frames": 8, "stride": 8, "sampling": sampling, **options})


def times(frames, fps=30.0):
    return torch.arange(frames, dtype=torch.float64) / fps


def starts(sampling, clips, length=300, **options):
    return [int(clip[0]) for clip in rule(sampling, **options).testing_clips(times(length), clips)]


# 300 frames, 8 frames with stride 8: span 57, length 64; 243 and 236 starts are left.
@pytest.mark.parametrize(
    ("sampling", "ten", "one"),
    [
        ("vidtok", [0, 27, 54, 81, 108, 135, 162, 189, 216, 243], 121),
        ("scenic", [0, 26, 52, 78, 104, 131, 157, 183, 209, 236], 118),
        ("mmaction2", [0, 27, 54, 81, 108, 135, 162, 189, 216, 243], 121),
        # 23.6 apart from 0 on: the tenth clip ends at 212.4 + 63, 24 frames before the video does.
        ("pyslowfast", [0, 23, 47, 70, 94, 118, 141, 165, 188, 212], 0),
        ("torchcodec", [0, 27, 54, 81, 108, 135, 162, 189, 216, 243], 0),
    ],
)
def test_ten_testing_clips_and_a_single_one(sampling, ten, one):
    assert starts(sampling, 10) == ten
    assert starts(sampling, 1) == [one]


def test_four_clips_are_rounded_down_by_scenic_and_to_the_nearest_by_mmaction2():
    assert starts("scenic", 4, 302) == [0, 79, 158, 238]  # 238 / 3 = 79.33
    assert starts("vidtok", 4, 301) == [0, 81, 162, 244]  # 244 / 3 = 81.33
    assert starts("mmaction2", 4, 302) == [0, 82, 163, 245]  # 245 / 3 = 81.67
    assert starts("mmaction2", 3, 302) == [0, 122, 245]  # 122.5 goes to the even number, as in numpy


def test_vivits_views_of_a_ten_second_video():
    """ViViT: 32 frames, stride 2, 250 frames; test offsets linspace(0, 250 - 64, 4), one clip at 186 // 2."""
    assert starts("scenic", 4, 250, frames=32, stride=2) == [0, 62, 124, 186]
    assert starts("scenic", 1, 250, frames=32, stride=2) == [93]


@pytest.mark.parametrize("sampling", ["vidtok", "scenic", "mmaction2", "torchcodec"])
def test_frames_lie_a_stride_apart(sampling):
    (clip,) = rule(sampling).testing_clips(times(300), 1)
    assert clip.diff().tolist() == [8] * 7


def test_pyslowfast_spreads_the_frames_over_the_whole_length():
    first, last = (rule("pyslowfast").testing_clips(times(300), 10)[i] for i in (0, 9))
    assert first.tolist() == [0, 9, 18, 27, 36, 45, 54, 63]
    assert last.tolist() == [212, 221, 230, 239, 248, 257, 266, 275]


def test_pyslowfast_at_a_target_rate():
    """SlowFast 8x8 for 30 fps on a video of 60: a length of 128 of its frames, 172 starts left of 300."""
    clips = rule("pyslowfast", target_fps=30.0).testing_clips(times(300, 60.0), 4)
    assert [int(clip[0]) for clip in clips] == [0, 43, 86, 129]
    assert clips[0].tolist() == [0, 18, 36, 54, 72, 90, 108, 127]  # 127 / 7 = 18.14 apart
    # 25 fps: 53.33 frames; 196.67 / 2 = 98.33 and 52.33 / 7 = 7.476.
    assert rule("pyslowfast", target_fps=30.0).testing_clips(times(250, 25.0), 2)[1].tolist() == [
        98, 105, 113, 120, 128, 135, 143, 150,
    ]  # fmt: skip


def test_mmaction2_at_a_target_rate():
    """Offsets are whole multiples of floor(172 / 3), frames floor(18.14 k): PySlowFast's offset sampling of several."""
    clips = rule("mmaction2", target_fps=30.0).testing_clips(times(300, 60.0), 4)
    assert [int(clip[0]) for clip in clips] == [0, 57, 114, 171]
    assert (clips[1] - 57).tolist() == [0, 18, 36, 54, 72, 90, 108, 127]
    assert int(rule("mmaction2", target_fps=30.0).testing_clips(times(300, 60.0), 1)[0][0]) == 86
    clips = rule("mmaction2", target_fps=30.0).testing_clips(times(300), 10)
    assert [int(clip[0]) for clip in clips] == [26 * i for i in range(10)]  # 236 / 9 = 26.2: the last starts at 234


def test_mmaction2_takes_single_frames_from_the_middles_of_equal_parts():
    assert starts("mmaction2", 4, 30, frames=1) == [3, 11, 18, 26]  # 7.5 (i + 1 / 2)


@pytest.mark.parametrize("sampling", ["vidtok", "scenic", "torchcodec"])
def test_the_others_run_on_the_resampled_table(sampling):
    at_half = rule(sampling, target_fps=30.0).testing_clips(times(600, 60.0), 10)
    assert [(clip // 2).tolist() for clip in at_half] == [
        clip.tolist() for clip in rule(sampling).testing_clips(times(300), 10)
    ]


# 20 frames, 4 with stride 8 from 0 on: 0, 8, 16 and one that is not there.
@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("vidtok", [0, 8, 16, 4]),
        ("scenic", [0, 8, 16, 4]),
        ("mmaction2", [0, 8, 16, 4]),
        ("pyslowfast", [0, 10, 19, 19]),  # 31 / 3 apart; the last frame repeated
        ("torchcodec", [0, 8, 16, 16]),  # the clip's own last frame repeated
    ],
)
def test_short_videos(sampling, expected):
    generator = np.random.default_rng(0)
    short = rule(sampling, frames=4)
    assert [clip.tolist() for clip in short.testing_clips(times(20), 3)] == [expected] * 3
    assert short.training_clip(times(20), generator).tolist() == expected


def test_vidtok_repeats_the_last_frame_where_asked():
    assert rule("vidtok", frames=4, short="repeat").testing_clips(times(20), 1)[0].tolist() == [0, 8, 16, 19]


# 70 frames, 8 with stride 8: 13 starts leave the span inside, 6 the length of 64.
@pytest.mark.parametrize(
    ("sampling", "last"), [("vidtok", 13), ("scenic", 13), ("mmaction2", 6), ("pyslowfast", 5), ("torchcodec", 13)]
)
def test_training_starts_cover_their_range_and_no_more(sampling, last):
    generator = np.random.default_rng(0)
    seen = {int(rule(sampling).training_clip(times(70), generator)[0]) for _ in range(400)}
    assert seen == set(range(last + 1))  # PySlowFast draws a real number from 0 to 6 and rounds it down


def test_training_at_a_target_rate():
    generator = np.random.default_rng(0)
    for sampling, last in (("mmaction2", 12), ("pyslowfast", 11)):
        clips = [rule(sampling, target_fps=30.0).training_clip(times(140, 60.0), generator) for _ in range(600)]
        assert {int(clip[0]) for clip in clips} == set(range(last + 1))
        assert {int(clip[-1] - clip[0]) for clip in clips} <= {127, 128}


def test_pyslowfast_against_a_plain_loop():
    generator, naive = (np.random.default_rng(3) for _ in range(2))
    for length, frames, stride, fps in (
        (300, 8, 8, 30),
        (251, 16, 4, 24),
        (40, 8, 8, 30),
        (97, 4, 16, 60),
        (5, 1, 3, 30),
    ):
        made = rule("pyslowfast", frames=frames, stride=stride, target_fps=30.0)
        size = max(1.0, frames * stride * fps / 30)
        start = naive.uniform(0, max(length - size, 0))
        expected = []
        for k in range(frames):
            place = start + k * (size - 1) / (frames - 1) if frames > 1 else start
            expected.append(min(int(place), length - 1))
        assert made.training_clip(times(length, float(fps)), generator).tolist() == expected


def test_torchcodec_places_clips_as_its_sampler_does():
    """Its regular sampler is torch.linspace on whole numbers."""
    for length in (57, 58, 70, 100, 300, 1001):
        for clips in range(1, 14):
            expected = torch.linspace(0, length - 57, steps=clips, dtype=torch.int).tolist()
            assert starts("torchcodec", clips, length) == expected


@pytest.mark.parametrize(
    ("short", "expected"), [(None, [4, 12, 12, 12, 12]), ("repeat", [4, 12, 12, 12, 12]), ("wrap", [4, 12, 4, 12, 4])]
)
def test_torchcodecs_policies_go_on_with_the_clips_own_frames(short, expected):
    made = rule("torchcodec", frames=5, short=short)
    assert regular_clips(made, 20, 1)[0].tolist() == [0, 8, 16, *((16, 16) if short != "wrap" else (0, 8))]
    # Its own wrap: (values * (desired // len(values) + 1))[:desired], for a clip from the middle of a short video.
    assert _own_frames(18, frames=5, stride=8, start=4, wrap=short == "wrap").tolist() == expected
    for length in range(1, 40):
        clip = made.training_clip(times(length), np.random.default_rng(length)).tolist()
        inside = [i for i in range(clip[0], clip[0] + 33, 8) if i < length]
        theirs = (inside * (5 // len(inside) + 1))[:5] if short == "wrap" else inside + inside[-1:] * (5 - len(inside))
        assert clip == theirs


def constant_clips(length, fps, seconds, frames, clips):
    """pytorchvideo's ConstantClipsPerVideoSampler, get_clip and UniformTemporalSubsample, in fractions and a loop."""
    duration = Fraction(length) / fps
    out = []
    for number in range(clips):
        start = max(duration - seconds, 0) / clips * number
        shown = [k for k in range(length) if start <= k / fps < start + seconds]
        out.append([shown[int(i)] for i in torch.linspace(0, len(shown) - 1, frames)])
    return out


@pytest.mark.parametrize(
    ("length", "fps", "frames", "stride", "target"),
    [(300, 30, 8, 8, None), (300, 60, 8, 8, 30), (97, 25, 4, 7, None), (40, 30, 8, 8, 30), (251, 24, 16, 4, 30)],
)
@pytest.mark.parametrize("clips", [1, 3, 10])
def test_pytorchvideos_constant_clips(length, fps, frames, stride, target, clips):
    made = rule("pytorchvideo", frames=frames, stride=stride, target_fps=None if target is None else float(target))
    seconds = Fraction(frames * stride, target or fps)
    expected = constant_clips(length, Fraction(fps), seconds, frames, clips)
    assert [clip.tolist() for clip in made.testing_clips(times(length, float(fps)), clips)] == expected


def test_pytorchvideos_uniform_clips_are_all_windows_that_fit():
    """300 frames hold four windows of 64; of 39 frames at 32 a clip one, as its docstring has it; the first always."""
    made = rule("pytorchvideo_uniform")
    clips = made.testing_clips(times(300), 10)
    assert [int(clip[0]) for clip in clips] == [0, 64, 128, 192]
    assert clips[1].tolist() == [64, 73, 82, 91, 100, 109, 118, 127]
    assert [int(clip[0]) for clip in made.testing_clips(times(300), 2)] == [0, 128]  # no more than were asked for
    assert len(rule("pytorchvideo_uniform", frames=8, stride=4).testing_clips(times(39), 10)) == 1
    assert rule("pytorchvideo_uniform").testing_clips(times(20), 10)[0].tolist() == [0, 2, 5, 8, 10, 13, 16, 19]


def test_a_clip_between_two_frames_is_the_one_that_is_shown():
    slow = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    made = rule("pytorchvideo", frames=2, stride=1, target_fps=10.0)
    assert [clip.tolist() for clip in made.testing_clips(slow, 3)] == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize(("sampling", "enough"), [
    ("vidtok", 57), ("scenic", 57), ("mmaction2", 57), ("torchcodec", 57), ("pyslowfast", 64),
    ("pytorchvideo", 64), ("pytorchvideo_uniform", 64), ("segments", 8),
])  # fmt: skip
def test_a_clip_longer_than_the_video_is_known(sampling, enough):
    made = ClipRule(frames=8, stride=1 if sampling == "segments" else 8, sampling=sampling)
    assert not made.is_longer_than(times(enough))
    assert made.is_longer_than(times(enough - 1))
    if sampling != "segments":
        at_half = ClipRule(frames=8, stride=8, sampling=sampling, target_fps=30.0)
        enough = 128 if sampling == "mmaction2" else 2 * enough
        assert not at_half.is_longer_than(times(enough, 60.0))
        assert at_half.is_longer_than(times(enough - 3, 60.0))


def test_segments_in_testing():
    """29 / 4 = 7.25: edges at 0, 7, 14 (14.5 to even), 22, 29."""
    made = ClipRule(frames=4, stride=1, sampling="segments")
    assert made.testing_clips(times(30), 1)[0].tolist() == [3, 10, 18, 25]
    # (i + 1) / 4 of a segment, rounded down: 1, 3, 5.
    assert [clip.tolist() for clip in made.testing_clips(times(30), 3)] == [
        [0 + o, 7 + o, 14 + o, 22 + o] for o in (1, 3, 5)
    ]
    assert made.testing_clips(times(2), 1)[0].tolist() == [0, 0, 0, 1]  # edges 0, 0, 0, 1, 1


def test_segments_in_training_take_any_frame_of_each():
    made, generator = ClipRule(frames=4, stride=1, sampling="segments"), np.random.default_rng(0)
    clips = torch.stack([made.training_clip(times(30), generator) for _ in range(400)])
    assert clips.amin(0).tolist() == [0, 7, 14, 22]
    assert clips.amax(0).tolist() == [7, 14, 22, 29]


@pytest.mark.parametrize("sampling", [*NAMES, "segments"])
@pytest.mark.parametrize("target_fps", [None, 12.5])
def test_indices_are_always_frames_of_the_video(sampling, target_fps):
    generator = np.random.default_rng(1)
    for length in (1, 2, 7, 8, 9, 30, 63, 64, 65):
        for frames, stride in ((1, 1), (4, 3), (8, 8)):
            made = ClipRule(
                frames=frames, stride=1 if sampling == "segments" else stride, target_fps=target_fps, sampling=sampling
            )
            pts = torch.from_numpy(np.cumsum(generator.integers(20, 60, size=length)) / 1000)
            clips = [*made.testing_clips(pts, 5), *made.testing_clips(pts, 1), made.training_clip(pts, generator)]
            assert len(clips) == 7 or sampling == "pytorchvideo_uniform"
            for clip in clips:
                assert clip.shape == (frames,)
                assert 0 <= int(clip.min()) <= int(clip.max()) < length


def test_the_same_generator_gives_the_same_clip_and_another_another():
    for sampling in NAMES:
        a, b, c = (np.random.default_rng(seed) for seed in (7, 7, 8))
        made = rule(sampling)
        one, same, other = ([made.training_clip(times(900), g).tolist() for _ in range(5)] for g in (a, b, c))
        assert one == same != other


@pytest.mark.parametrize("fps", [24000 / 1001, 25.0, 30000 / 1001, 30.0, 60.0])
@pytest.mark.parametrize("clock", [None, 1000])
def test_the_rate_is_the_one_that_was_meant(fps, clock):
    pts = times(300, fps)
    pts = pts if clock is None else (pts * clock).round() / clock
    assert nominal_fps(pts + 5, other=1.0) == pytest.approx(fps, rel=1e-12)


def test_rates_of_uneven_videos_are_means():
    pts = torch.tensor([0.0, 0.1, 0.5, 0.61], dtype=torch.float64)
    assert nominal_fps(pts, other=1.0) == pytest.approx(3 / 0.61)
    assert nominal_fps(pts[:1], other=25.0) == 25.0


def test_rounding_noise_does_not_cost_a_frame():
    assert stretched_clip(999, frames=8, extent=64 * (1 - 1e-12), start=0, short="loop").tolist()[-1] == 63


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="short=wrap is not known to vidtok: repeat or loop"):
        rule("vidtok", short="wrap")
    with pytest.raises(ValueError, match="short=loop is not known to torchcodec: repeat or wrap"):
        rule("torchcodec", short="loop")
    with pytest.raises(ValueError, match="pyslowfast has a rule of its own"):
        rule("pyslowfast", short="loop")
    with pytest.raises(ValueError, match="must be 1, got 8"):
        rule("segments")
    with pytest.raises(ValueError, match="clips count from 1"):
        regular_clips(rule("scenic"), 100, 0)


def test_a_single_frame_may_be_any_of_the_video():
    generator = np.random.default_rng(0)
    for sampling in ("pyslowfast", "mmaction2", "vidtok"):
        made = rule(sampling, frames=1, stride=1)
        seen = {int(made.training_clip(times(10), generator)[0]) for _ in range(120)}
        assert seen == set(range(9 if sampling == "pyslowfast" else 10))
    assert [int(clip[0]) for clip in rule("pyslowfast", frames=1, stride=1).testing_clips(times(10), 2)] == [0, 4]
    slow = rule("mmaction2", frames=2, stride=1, target_fps=30.0)  # of a video of 6: shorter than a frame
    assert [clip.tolist() for clip in slow.testing_clips(times(9, 6.0), 3)] == [[0, 0], [4, 4], [8, 8]]
