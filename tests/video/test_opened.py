from pathlib import Path

import pytest
import torch

from vidtok.errors import DecodeError
from vidtok.video.opened import OpenVideo


def opened(*, timeout_seconds: float = 30.0) -> OpenVideo:
    video = OpenVideo(Path("made.up"), timeout_seconds=timeout_seconds)
    video.pts_seconds = torch.arange(5, dtype=torch.float64) / 10
    return video


def test_indices_are_checked_and_sorted():
    with opened() as video:
        assert len(video) == 5
        assert video.begin([4, 0, 4, 2]) == [0, 2, 4]
        assert video.begin([]) == []
        with pytest.raises(DecodeError, match=r"made\.up: has frames 0 to 4 \(why\), asked for 5"):
            video.begin([0, 5], end=" (why)")
        with pytest.raises(DecodeError, match="asked for -1"):
            video.begin([0, -1])
    with pytest.raises(RuntimeError, match="closed"):
        video.begin([0])


def test_pictures_come_back_in_the_order_asked_for():
    pixels = torch.arange(3, dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 2, 2)
    frames = opened().in_order([4, 0, 4, 2], pixels, [0, 2, 4])
    assert frames.pixels[:, 0, 0, 0].tolist() == [2, 0, 2, 1]
    assert frames.pts_seconds.tolist() == [0.4, 0.0, 0.4, 0.2]


def test_the_deadline_begins_anew_with_each_question():
    video = opened(timeout_seconds=0.0)
    video.timeout_seconds = 30.0
    with pytest.raises(DecodeError, match=r"made\.up: not read within 30 s"):
        video.check_deadline()
    video.begin([0])
    video.check_deadline()
