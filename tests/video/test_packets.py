"""What the packets of a file say; tests/video/test_pyav.py reads pictures through the same class."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.video.clips import GROUPS, make_clip, make_late_clip, read_number, remux
from tests.video.test_conformance import CASES
from tests.video.test_orientation import with_matrix
from vidtok.errors import DecodeError
from vidtok.types import Box
from vidtok.video import packets, table_file
from vidtok.video.orientation import Orientation
from vidtok.video.packets import PacketReader
from vidtok.video.pyav import PyAVReader


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("packets") / "a.mp4"
    return make_clip(path, frames=30, fps=Fraction(25), options=GROUPS["keyframe every 12, B-frames"])


def numbers(video: PacketReader, first: int) -> list[int]:
    return [read_number(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)) for frame in video.decoded(first)]


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
        entry = int(video.table.entry[20])
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


def rename_size(path: Path, *, rows: int, columns: int) -> Path:
    """Have the header of an mp4 with H.264 say another size (ISO/IEC 14496-12, VisualSampleEntry)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"avc1", content.index(b"stsd")) + 28
    content[place : place + 4] = columns.to_bytes(2, "big") + rows.to_bytes(2, "big")
    path.write_bytes(content)
    return path


def test_h264_in_mp4_is_opened_without_decoding(clip, tmp_path):
    with PacketReader(clip) as video:
        assert video.codec.pix_fmt is None  # which only a frame tells
        assert numbers(video, 0) == list(range(30))
    others = [
        remux(clip, tmp_path / "a.mkv"),
        make_clip(tmp_path / "a.mp4", frames=9, codec="mpeg4", options={}),
    ]
    for other in others:
        with PacketReader(other) as video:
            assert video.codec.pix_fmt == "yuv420p"


def test_a_header_that_is_wrong_about_the_size_is_found_out(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=30, options=GROUPS["keyframe every 12, B-frames"])
    with PyAVReader(path) as video:
        size, expected = video.size, video.frames_at([3, 20])
        small = video.frames_at([20], short_side=32)
    rename_size(path, rows=48, columns=48)
    with PyAVReader(path) as video:
        assert video.coded_size == (48, 48)
        assert torch.equal(video.frames_at([20], short_side=32).pixels, small.pixels)
        assert torch.equal(video.frames_at([3, 20]).pixels, expected.pixels)
    with PyAVReader(path) as video:
        assert video.size == size
    with PyAVReader(path) as video:
        assert torch.equal(dict(video.each_at([20]))[20], expected.pixels[1])
    with PyAVReader(path) as video:
        drawn = []
        video.crops_at([([20], lambda picture: drawn.append(picture) or Box(top=0, left=0, height=9, width=9))], size=8)
        assert drawn == [size]


def test_of_two_streams_the_best_is_found_by_looking(tmp_path):
    """Which is the best depends on how many frames of each are there, which the header does not say."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, size in zip(streams, ((64, 96), (128, 192)), strict=True):
            stream.height, stream.width = size
        for number in range(9):
            for stream in streams:
                picture = np.full((stream.height, stream.width, 3), 20 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        for stream in streams:
            container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        best = container.streams.best("video")
        expected = best.height, best.width
    with PyAVReader(path) as video:
        assert video.codec.pix_fmt == "yuv420p"
        assert video.size == expected


def test_pictures_of_any_size_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither what the header claims nor what comes in mid-stream: a grey picture of gigabytes is a small file."""
    grows = CASES["size change"](tmp_path)  # 20 frames of 64 x 96, 20 of 128 x 192
    with PacketReader(grows) as video:
        assert (len(video), video.cut_short) == (40, None)
    monkeypatch.setattr("vidtok.video.container.MOST_PIXELS", 64 * 96)
    with PacketReader(grows) as video:
        assert 9 < len(video) <= 20
        assert video.cut_short is not None
    monkeypatch.setattr("vidtok.video.container.MOST_PIXELS", 64 * 96 - 1)
    with pytest.raises(DecodeError, match=r"clip.ts: claims pictures of 96 x 64 pixels; 6143 are read at most"):
        PacketReader(grows)


def test_frames_that_no_other_leans_on_are_left_out_where_they_are_not_needed(clip):
    with PacketReader(clip) as video:
        assert video.leaves_out
        ticks = video.table.ticks.tolist()
        assert len(list(video.decoded(0, needed=set(ticks)))) == 30
        assert not video.left_out
        some = [frame.pts for frame in video.decoded(0, needed={ticks[5]})]
        assert video.left_out
        assert ticks[5] in some
        assert len(some) < 30
        frames = video.decoded(0)
        next(frames)
        video.ending = True
        rest = sum(1 for _ in frames)
        assert 0 < rest < 10, "what the decoder holds, and no more"
        assert video.sent < 12
        assert numbers(video, 0) == list(range(30))


def test_a_decoder_is_renewed_once_it_has_decoded(clip):
    with PacketReader(clip) as video:
        first = video.codec
        video.renew_decoder()
        assert video.codec is first
        for _ in range(2):
            assert numbers(video, 0) == list(range(30))
            video.has_met_damage = True
            before = video.codec
            video.renew_decoder()
            assert video.codec is not before
            assert (video.decoder_is_fresh, video.has_met_damage) == (True, False)


def test_long_streams_are_jumped_in_and_read_from_the_beginning_where_a_jump_fails(clip, monkeypatch):
    monkeypatch.setattr(packets, "KEPT_BYTES", 100)
    opened = []
    inner = PacketReader._open
    monkeypatch.setattr(PacketReader, "_open", lambda self: opened.append(1) or inner(self))
    with PacketReader(clip) as video:
        entry = int(video.table.entry[20])
        assert numbers(video, entry)[-18:] == list(range(12, 30))
        assert len(opened) == 1
        monkeypatch.setattr(video, "_seek", lambda pts: (_ for _ in ()).throw(av.error.FFmpegError(1, "no")))
        assert numbers(video, entry)[-18:] == list(range(12, 30))
        assert len(opened) == 2


def test_a_table_that_was_kept_spares_the_reading(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDTOK_CACHE", str(tmp_path))
    for module in (packets, table_file):
        monkeypatch.setattr(module, "LEAST_PACKETS", 8)
    monkeypatch.setattr(table_file, "SETTLED_SECONDS", -1.0)
    read = []
    inner = PacketReader._read_table
    monkeypatch.setattr(PacketReader, "_read_table", lambda self: read.append(1) or inner(self))
    for _ in range(2):
        with PacketReader(clip) as video:
            assert numbers(video, 0) == list(range(30))
            assert video.leaves_out
    assert len(read) == 1


def test_avi_with_b_frames_is_counted_and_others_have_times(tmp_path):
    made = {}
    for name, options in (("b.avi", {"bf": "2"}), ("p.avi", {"bf": "0"}), ("m.avi", {"codec": "mpeg4"})):
        codec = options.pop("codec", "libx264")
        path = make_clip(tmp_path / name, frames=20, codec=codec, options=options)
        with PacketReader(path) as video:
            made[name] = (video.table.by_order, video.facts.without_times, int(video.table.entry.max()), len(video))
            assert numbers(video, 0) == list(range(20))
    assert made["b.avi"] == (True, True, 0, 20)
    assert made["p.avi"][:2] == (False, False)
    assert made["m.avi"][3] == 20


def test_rates_clocks_and_how_the_first_picture_lies(clip, tmp_path):
    with PacketReader(make_clip(tmp_path / "one.mp4", frames=1, fps=Fraction(24))) as video:
        assert video.fps == 24
    with PacketReader(make_late_clip(tmp_path / "late.mp4", late=Fraction(12, 25), frames=20)) as video:
        assert (video.start_seconds, float(video.pts_seconds[0])) == (0.0, pytest.approx(0.48, abs=1e-3))
    later = make_late_clip(tmp_path / "later.mkv", late=Fraction(12, 25), begin=Fraction(2), frames=20)
    with PacketReader(later) as video:
        assert (video.start_seconds, float(video.pts_seconds[0])) == pytest.approx((2.0, 2.48), abs=0.03)
    with PacketReader(clip) as video:
        assert video.facts.first_picture is None
        assert video.start_seconds == float(video.pts_seconds[0])
        assert video.end_words() == ""
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(clip.read_bytes())
    with_matrix(turned, (0, 1, -1, 0))
    with PacketReader(turned) as video:
        facts = video.facts
        assert facts.orientation == Orientation(turns=3)
        assert facts.first_picture is not None
        assert facts.first_picture.shape == (3, *video.coded_size)
