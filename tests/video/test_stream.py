"""All frames, in order, once."""

from pathlib import Path

import pytest

from tests.video.clips import GROUPS, make_clip, read_number
from tests.video.test_conformance import CASES
from vidtok.errors import DecodeError
from vidtok.video.packets import PacketReader
from vidtok.video.stream import every_frame


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.ts"])
def test_every_frame_comes_once_in_order(tmp_path: Path, name: str):
    path = make_clip(tmp_path / name, options=GROUPS["open groups"])
    with PacketReader(path) as video:
        for _ in range(2):
            numbers = [read_number(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)) for frame in every_frame(video)]
            assert numbers == list(range(60))


def test_what_an_edit_list_cuts_off_does_not_come(tmp_path: Path):
    with PacketReader(CASES["edit list"](tmp_path)) as video:
        numbers = [read_number(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)) for frame in every_frame(video)]
        assert numbers == list(range(7, 60))
        assert len(video) == 53


def test_damage_is_an_error(tmp_path: Path):
    with PacketReader(CASES["wrong frame count"](tmp_path)) as video:
        with pytest.raises(DecodeError, match=rf"clip.mp4: decoding stops after {len(video)} frames: "):
            next(every_frame(video))


def test_a_frame_that_does_not_come_is_named(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4", options=GROUPS["keyframes only"])
    with PacketReader(path) as video:
        assert video._kept is not None
        del video._kept[5]
        frames = every_frame(video)
        assert sum(1 for _ in zip(range(5), frames, strict=False)) == 5
        with pytest.raises(DecodeError, match=r"frame 5 of 60 did not come"):
            next(frames)


def test_the_deadline_is_for_each_frame(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4", options=GROUPS["no B-frames"])
    with PacketReader(path) as video:
        frames = every_frame(video)
        next(frames)
        video.timeout_seconds = -1.0
        with pytest.raises(DecodeError, match="not read within"):
            next(frames)
