"""What the packets of a file say; tests/video/test_pyav.py reads pictures through the same class."""

from fractions import Fraction

import pytest
import torch

from tests.video.clips import GROUPS, make_clip, read_number, remux
from vidtok.errors import DecodeError
from vidtok.video import packets
from vidtok.video.packets import PacketReader


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("packets") / "a.mp4"
    return make_clip(path, frames=30, fps=Fraction(25), options=GROUPS["keyframe every 12, B-frames"])


def numbers(video: PacketReader, first: int) -> list[int]:
    return [read_number(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)) for frame in video._decoded(first)]


def test_the_facts_of_a_file(clip):
    with PacketReader(clip) as video:
        facts = video.facts
    torch.testing.assert_close(facts.pts_seconds - facts.pts_seconds[0], torch.arange(30, dtype=torch.float64) / 25)
    assert (facts.fps, facts.video_streams, facts.stream_index) == (pytest.approx(25), 1, 0)
    assert "mp4" in facts.container
    assert not facts.without_times


def test_frames_come_in_the_order_of_showing(clip):
    with PacketReader(clip) as video:
        assert numbers(video, 0) == list(range(30))


def test_decoding_goes_on_from_a_later_keyframe(clip):
    with PacketReader(clip) as video:
        entry = int(video._table.entry[20])
        assert entry > 0
        assert numbers(video, entry)[-18:] == list(range(12, 30))


def test_long_streams_are_read_from_the_file_again(clip, monkeypatch):
    monkeypatch.setattr(packets, "KEPT_BYTES", 100)
    with PacketReader(clip) as video:
        assert video._kept is None
        assert numbers(video, 0) == list(range(30))
        assert numbers(video, 0) == list(range(30))


def test_a_container_without_a_count_has_the_same_table(clip, tmp_path):
    other = remux(clip, tmp_path / "a.mkv")
    with PacketReader(clip) as one, PacketReader(other) as two:
        first, second = one.pts_seconds - one.pts_seconds[0], two.pts_seconds - two.pts_seconds[0]
    torch.testing.assert_close(first, second, atol=0.0005, rtol=0)  # Matroska counts whole milliseconds


def test_what_is_no_video_is_named(tmp_path):
    text = tmp_path / "a.mp4"
    text.write_text("no video")
    for path, cause in ((text, "Invalid data"), (tmp_path / "none.mp4", "No such file"), (tmp_path, "is a folder")):
        with pytest.raises(DecodeError, match=cause) as raised:
            PacketReader(path)
        assert str(path) in str(raised.value)
