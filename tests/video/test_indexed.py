import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.video.clips import make_clip, refusal_elsewhere
from vidtok.errors import DecodeError
from vidtok.video.indexed import IndexedReader, Uprighter, read_facts
from vidtok.video.orientation import Orientation
from vidtok.video.pyav import PyAVReader


class Counted(IndexedReader):
    """Picture i is grey level i, 4 x 6 pixels but for the third one; it notes what it is asked for."""

    def __init__(self, *, timeout_seconds: float = 30.0):
        times = torch.arange(5, dtype=torch.float64) / 10
        super().__init__(Path("made.up"), pts_seconds=times, fps=10.0, size=(4, 6), timeout_seconds=timeout_seconds)
        self.asked: list[int] = []

    def _picture(self, index: int) -> torch.Tensor:
        self.asked.append(index)
        return torch.full((3, 8, 6) if index == 2 else (3, 4, 6), index, dtype=torch.uint8)


def test_each_wanted_picture_is_asked_for_once_by_rising_index():
    with Counted() as video:
        frames = video.frames_at([4, 2, 0, 2])
        assert video.asked == [0, 2, 4]
        assert frames.pixels.shape == (4, 3, 4, 6)
        assert frames.pixels[:, 0, 0, 0].tolist() == [4, 2, 0, 2]
        assert frames.pts_seconds.tolist() == [0.4, 0.2, 0.0, 0.2]
        assert video.frames_at([1, 2], short_side=2).pixels.shape == (2, 3, 2, 3)
        assert video.frames_at([]).pixels.shape == (0, 3, 4, 6)
        each = list(video.each_at([2, 1, 2], short_side=2))
        assert [(index, picture.shape, int(picture.max())) for index, picture in each] == [
            (1, (3, 2, 3), 1),
            (2, (3, 2, 3), 2),
        ]


def test_what_cannot_be_asked():
    with Counted(timeout_seconds=0.0) as video:
        for index in (5, -1):
            with pytest.raises(DecodeError, match=rf"made\.up: has frames 0 to 4, asked for {index}"):
                video.frames_at([0, index])
        with pytest.raises(DecodeError, match=r"made\.up: not read within 0 s"):
            video.frames_at([0, 1])
    with pytest.raises(RuntimeError, match=r"made\.up is closed"):
        video.frames_at([0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard is for forked processes")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_reader_refuses_to_work_in_another_process():
    assert f"opened by process {os.getpid()}" in refusal_elsewhere(Counted())


def test_facts_are_those_of_the_packets(tmp_path: Path):
    path = make_clip(tmp_path / "clip.ts", ticks=range(300, 320), frames=20)
    facts = read_facts(path, timeout_seconds=30.0)
    with PyAVReader(path) as video:
        assert torch.equal(facts.pts_seconds, video.pts_seconds)
        assert facts.fps == video.fps
    assert (facts.container, facts.stream_index, facts.video_streams, facts.without_times) == ("mpegts", 0, 1, False)
    other = read_facts(make_clip(tmp_path / "clip.avi", options={"bf": "2"}), timeout_seconds=30.0)
    assert (other.container, other.without_times) == ("avi", True)


@pytest.mark.parametrize("done", range(4))
@pytest.mark.parametrize(
    "orientation", [Orientation(turns=1), Orientation(turns=2), Orientation(turns=3, mirrored=True)]
)
def test_the_turns_that_a_decoder_has_done_show_in_its_first_picture(tmp_path, orientation, done):
    path = make_clip(tmp_path / "clip.mp4", frames=20)
    coded = torch.arange(6 * 4 * 3, dtype=torch.uint8).reshape(3, 6, 4) * 3
    facts = replace(read_facts(path, timeout_seconds=30.0), orientation=orientation, first_picture=coded)
    given = torch.rot90(coded, done, dims=(1, 2))
    assert torch.equal(Uprighter(path, facts, given)(given), orientation.upright(coded))
    with pytest.raises(DecodeError, match=r"clip\.mp4: asks for turned pictures.*not turned in a known way"):
        Uprighter(path, facts, 255 - given)
