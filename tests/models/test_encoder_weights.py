import pytest

from vidtok.errors import ConfigError
from vidtok.models.encoder_weights import EncoderWeights


def encoder(**facts) -> EncoderWeights:
    return EncoderWeights(name="mine", state={}, mean=(0.5,) * 3, std=(0.5,) * 3, source="x", **facts)


@pytest.mark.parametrize(
    ("facts", "wanted", "frames"),
    [
        ({}, None, 16),
        ({}, 3, 3),
        ({"frames": 8}, None, 8),
        ({"frames": 8}, 8, 8),
        ({"step": 6}, None, 12),
        ({"step": 2}, 4, 4),
    ],
)
def test_a_clip_has_as_many_frames_as_are_wanted_and_the_encoder_takes(facts, wanted, frames):
    assert encoder(**facts).clip_frames(wanted) == frames


@pytest.mark.parametrize(
    ("facts", "wanted", "words"),
    [
        ({"frames": 8}, 16, "`frames`=16: mine was built for clips of 8 frames; leave it out"),
        ({"step": 2}, 5, "`frames`=5: mine takes frames in multiples of 2, from 2"),
        ({}, 0, "`frames`=0: mine takes frames in multiples of 1, from 1"),
    ],
)
def test_frames_that_contradict_are_refused(facts, wanted, words):
    with pytest.raises(ConfigError, match=words):
        encoder(**facts).clip_frames(wanted)
