"""Clips of VideoMAE and V-JEPA 2: testing ones against plain loops, training ones within what the rule allows."""

import numpy as np
import pytest
import torch

from vidtok.video.equal_parts import random_part, videomae_clips, vjepa2_clips
from vidtok.video.protocols import ClipRule

LENGTHS = [1, 3, 4, 16, 17, 31, 32, 33, 64, 250]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("clips", [2, 5])
def test_videomaes_testing_clips(length, clips):
    """As it says them: keep every 4th frame, repeat the last until there are 8, cut clips out of those."""
    kept = list(range(0, length, 4))
    while len(kept) < 8:
        kept.append(kept[-1])
    step = max((len(kept) - 8) / (clips - 1), 0)
    expected = [kept[int(i * step) : int(i * step) + 8] for i in range(clips)]
    assert [clip.tolist() for clip in videomae_clips(length, clips, frames=8, stride=4)] == expected
    rule = ClipRule(frames=8, stride=4, sampling="videomae")
    assert [clip.tolist() for clip in rule.testing_clips(torch.arange(length).double() / 25, clips)] == expected


def test_by_hand():
    """63 of 250 frames are kept; 47 starts are left over five clips of sixteen: 11.75 apart."""
    starts = [int(clip[0]) for clip in videomae_clips(250, 5, frames=16, stride=4)]
    assert starts == [0, 44, 92, 140, 188]
    assert [int(clip[0]) for clip in videomae_clips(250, 1, frames=16, stride=4)] == [0]
    rule = ClipRule(frames=4, stride=2, sampling="vjepa2")
    clips = rule.testing_clips(torch.arange(20).double() / 25, 2)
    assert [clip.tolist() for clip in clips] == [[0, 2, 5, 7], [10, 12, 15, 17]]
    assert [clip.tolist() for clip in vjepa2_clips(10, 2, frames=4, stride=2)] == [[0, 3, 6, 6], [2, 5, 8, 8]]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("videomae", [True, False])
def test_training_clips(length, videomae):
    drawn = [random_part(length, np.random.default_rng(s), frames=8, stride=4, videomae=videomae) for s in range(40)]
    clips = [clip.tolist() for clip in drawn]
    assert all(0 <= index < length for clip in clips for index in clip)
    if length > 32:
        ends = {clip[0] + 32 for clip in clips}
        assert all(32 <= end < length for end in ends)
        for clip in clips:
            plain = np.linspace(clip[0], clip[0] + 32, num=8).astype(int).clip(clip[0], clip[0] + 31)
            assert clip == plain.tolist()
        assert length < 60 or len(ends) > 20
    else:
        assert len({tuple(clip) for clip in clips}) == 1
    if length <= 32 and videomae:
        own = np.linspace(0, length, num=length // 4)
        plain = np.concatenate([own, np.ones(8 - length // 4) * length]).clip(0, length - 1).astype(int)
        assert clips[0] == plain.tolist()
    if length <= 32 and not videomae:
        assert clips[0] == vjepa2_clips(length, 1, frames=8, stride=4)[0].tolist()


@pytest.mark.parametrize("sampling", ["videomae", "vjepa2"])
def test_the_rules_are_known_by_name(sampling):
    rule = ClipRule(frames=8, stride=4, sampling=sampling)
    clip = rule.training_clip(torch.arange(20).double() / 25, np.random.default_rng(0))
    assert (
        clip.tolist()
        == random_part(20, np.random.default_rng(0), frames=8, stride=4, videomae=sampling == "videomae").tolist()
    )
    assert (
        clip.tolist()
        != random_part(20, np.random.default_rng(0), frames=8, stride=4, videomae=sampling != "videomae").tolist()
    )
