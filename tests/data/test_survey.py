"""What a look at some videos of a list says before a run."""

import pytest

from tests.video.clips import make_clip
from vidtok.data.survey import Seen, crop_warning, median_seconds, short_warning, survey
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews
from vidtok.types import Record
from vidtok.video.protocols import ClipRule

CLIP = ClipRule(frames=4, stride=3)


def views(fit="crop", *, clip=CLIP, scale=(0.75, 1.0), ratio=(0.8, 1.25), size=56):
    return TrainViews(clip=clip, size=size, crop=ResizedCrop(scale=scale, ratio=ratio, fit=fit), flip=False)


def seen(picture, *, name="a.mp4", frames=300, is_short=False):
    return Seen(name=name, picture=picture, frames=frames, is_short=is_short)


def test_videos_are_opened_evenly_and_broken_ones_left_out(tmp_path):
    good = make_clip(tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    records = [Record(path=good, labels=(0,), video_id=str(i)) for i in range(7)]
    records[0] = Record(path=tmp_path / "bad.mp4", labels=(0,), video_id="0")
    records[2] = Record(path=good, labels=(0,), video_id="2", end_seconds=0.2)
    found = survey(records, views(), backend="pyav", most=4)  # rows 0, 1, 3 and 5
    assert [each.picture for each in found] == [(64, 96)] * 3
    assert not any(each.is_short for each in found)
    (part,) = survey(records[2:3], views(clip=ClipRule(frames=4, stride=2)), backend="pyav")
    assert (part.frames, part.is_short) == (6, True)


@pytest.mark.parametrize("picture", [(720, 1280), (1280, 720), (576, 1024), (400, 900)])
def test_a_range_of_crops_that_cannot_be_had_is_said_with_its_numbers(picture):
    warning = crop_warning([seen((500, 500)), seen(picture, name="wide.mp4")], views())
    assert warning is not None
    largest = 1.25 * min(picture) ** 2 / (picture[0] * picture[1])
    assert "in 1 of 2 training videos looked at, no box of 75 to 100 % of the picture" in warning
    assert f"in wide.mp4, {picture[1]} x {picture[0]} pixels, the largest has {100 * largest:.0f} %" in warning
    assert "100 % of the draws end with that same central box" in warning
    assert "`fit`=squeeze or `fit`=pad" in warning


@pytest.mark.parametrize(
    "fitting",
    [views("squeeze"), views("pad"), views(scale=(0.3, 1.0)), views(ratio=(0.8, 1.8)), views(size=(90, 160))],
    ids=["squeeze", "pad", "scale", "ratio", "size"],
)
def test_what_can_be_had_is_passed_over_in_silence(fitting):
    assert crop_warning([seen((720, 1280))], fitting) is None


def test_scale_jitter_can_always_be_had():
    jittered = TrainViews(clip=CLIP, size=56, crop=JitteredCrop(short_side=(64, 80), independent=False), flip=False)
    assert crop_warning([seen((90, 900))], jittered) is None


def test_a_clip_longer_than_videos_is_said():
    tested = TestViews(clip=ClipRule(frames=64, stride=32), size=16, short_side=24, clips=4, crops=1)
    assert short_warning([seen((9, 16))], tested, which="validation") is None
    warning = short_warning([seen((9, 16)), seen((9, 16), is_short=True)], tested, which="validation")
    assert warning is not None
    assert "a clip of 64 frames with stride 32 is longer than 1 of 2 validation videos looked at" in warning
    assert "(a.mp4 has 300 frames)" in warning
    assert "all clips of such a video are the same" in warning


def test_how_long_videos_are_in_the_middle(tmp_path):
    good, bad = make_clip(tmp_path / "good.mp4"), tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    records = [Record(path=good, labels=(0,), video_id=str(end), end_seconds=end) for end in (0.2, 0.5, 0.3)]
    records.append(Record(path=bad, labels=(0,), video_id="bad"))
    assert median_seconds(records, backend="pyav") == pytest.approx(0.3)
    assert median_seconds(records, backend="pyav", most=2) == pytest.approx((0.2 + 0.3) / 2)
    assert median_seconds(records[3:], backend="pyav") is None
    still = Record(path=good, labels=(0,), video_id="still", end_seconds=0.01)
    assert median_seconds([still], backend="pyav") is None


def test_the_worst_video_is_the_one_that_is_named():
    several = [seen((500, 500)), seen((720, 1280), name="wide.mp4"), seen((400, 900), name="wider.mp4")]
    warning = crop_warning(several, views(scale=(0.69, 1.0)))
    assert warning is not None
    assert "in 2 of 3 training videos looked at, no box of 69 to 100 %" in warning
    assert "in wider.mp4, 900 x 400 pixels" in warning
    clip = ClipRule(frames=64, stride=2, target_fps=8.0)
    tested = TestViews(clip=clip, size=16, short_side=24, clips=4, crops=1)
    short = [seen((9, 16), name=f"{frames}.mp4", frames=frames, is_short=True) for frames in (30, 20, 40)]
    warning = short_warning(short, tested, which="training")
    assert warning is not None
    assert "with stride 2 at 8 fps is longer than 3 of 3 training videos looked at (20.mp4 has 20 frames)" in warning
