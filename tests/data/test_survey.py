"""What a look at some videos of a list says before a run."""

import pytest

from tests.video.clips import make_clip
from vidtok.data.survey import Seen, crop_warning, short_warning, survey
from vidtok.data.views import JitteredCrop, ResizedCrop, TestViews, TrainViews
from vidtok.types import Record
from vidtok.video.protocols import ClipRule

CLIP = ClipRule(frames=4, stride=3)


def views(fit="crop", *, clip=CLIP, scale=(0.75, 1.0), ratio=(0.8, 1.25), size=56):
    return TrainViews(clip=clip, size=size, crop=ResizedCrop(scale=scale, ratio=ratio, fit=fit), flip=False)


def seen(picture, *, name="a.mp4", is_short=False):
    return Seen(name=name, picture=picture, frames=300, is_short=is_short)


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
