"""Prepared videos hold the same frames at the same times, and are made so that jumping in them is cheap."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from tests.video.clips import GROUPS, make_clip, read_numbers, remux
from tests.video.test_conformance import CASES, FIRST_NUMBER
from vidtok.errors import DataError, DecodeError
from vidtok.video.packets import PacketReader
from vidtok.video.prepare import Prepared, prepare_video, prepared_size
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import open_video

UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 9, size=60)).tolist()


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux() if packet.size]


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"wrong frame count"}))  # that one is cut short
def test_every_kind_of_file(tmp_path: Path, case: str):
    source = CASES[case](tmp_path)
    target = tmp_path / "out" / "made.mp4"
    facts = prepare_video(source, target, short_side=64, crf=1, preset="ultrafast")
    with open_video(source) as before, open_video(target) as after:
        assert facts.frames == len(after) == len(before)
        assert after.pts_seconds.tolist() == pytest.approx(before.pts_seconds.tolist(), abs=1e-6)
        assert (facts.source_size, facts.size) == (before.size, after.size)
        assert not any(side % 2 for side in after.size)
        indices = range(0, len(before), 7)
        old, new = before.frames_at(indices), after.frames_at(indices)
    if case != "tiny":
        first = FIRST_NUMBER.get(case, 0)
        expected = [first + index % (20 if case == "size change" else 60) for index in indices]
        assert read_numbers(new.pixels.numpy()) == expected
    if facts.size == facts.source_size:
        # 10 bits: the chroma of the source is interpolated when it becomes RGB, that of 8 bits is not.
        assert (old.pixels.float() - new.pixels.float()).abs().mean() < (4 if case == "ten bits" else 2)
    with av.open(str(target)) as container:
        assert [(stream.type, stream.codec_context.name) for stream in container.streams] == [("video", "h264")]
        assert container.streams.video[0].codec_context.pix_fmt in ("yuv420p", "yuvj420p")
        assert next(container.decode(video=0)).rotation == 0


def test_a_keyframe_every_few_frames_and_no_b_frames(tmp_path: Path):
    source = make_clip(tmp_path / "clip.mkv", options=GROUPS["one keyframe"], ticks=UNEVEN, fps=Fraction(90))
    prepare_video(source, tmp_path / "made.mp4", gop=7)
    made = packets(tmp_path / "made.mp4")
    assert [index for index, packet in enumerate(made) if packet.is_keyframe] == list(range(0, 60, 7))
    assert all(packet.pts == packet.dts for packet in made)
    # A picture stays as long as before: Matroska rounds to milliseconds, the last one stays as long as the one before.
    steps = np.diff(sorted(packet.pts for packet in packets(source)))
    durations = [float(packet.duration * packet.time_base) for packet in made]
    assert durations == pytest.approx([*(steps / 1000), steps[-1] / 1000], abs=1e-6)
    data = (tmp_path / "made.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    for option in (b"cabac=0", b"deblock=0", b"bframes=0", b"keyint=7", b"scenecut=0"):
        assert option in data


@pytest.mark.parametrize(
    ("size", "prepared"),
    [
        ((720, 1280), (256, 456)),
        ((1280, 720), (456, 256)),
        ((256, 340), (256, 340)),
        ((255, 339), (254, 338)),
        ((257, 257), (256, 256)),
        ((64, 1024), (64, 1024)),
        ((1080, 1080), (256, 256)),
        ((1, 1), (2, 2)),
    ],
)
def test_sizes_are_even_and_never_grow(size: tuple[int, int], prepared: tuple[int, int]):
    assert prepared_size(size, 256) == prepared


def test_scaled_pictures_show_their_numbers(tmp_path: Path):
    source = make_clip(tmp_path / "clip.mp4", size=(160, 240), options=GROUPS["open groups"])
    facts = prepare_video(source, tmp_path / "made.mp4", short_side=64, crf=1)
    assert facts.size == (64, 96)
    assert facts.bytes == (tmp_path / "made.mp4").stat().st_size
    assert facts.source_bytes == source.stat().st_size
    with open_video(source) as before, open_video(tmp_path / "made.mp4") as after:
        old, new = before.frames_at(range(60), short_side=64), after.frames_at(range(60))
    assert read_numbers(new.pixels.numpy()) == list(range(60))
    grey = [frames.pixels.float().mean(1) for frames in (old, new)]  # the chroma has half the size
    assert (grey[0] - grey[1]).abs().mean() < 2


PATCHES = torch.tensor([[200, 30, 40], [20, 180, 60], [40, 50, 220], [250, 250, 250], [5, 5, 5], [128, 120, 30]])


def patches(path: Path, *, codec: str, pix_fmt: str, space: Colorspace | None, full: bool) -> Path:
    """Six frames of one colour each, large enough that chroma sampling plays no part."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "1"} if codec == "libx264" else {})
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        color_range = ColorRange.JPEG if full else ColorRange.MPEG
        if space is not None:
            context = stream.codec_context
            context.colorspace, context.color_range = space, color_range
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for colour in PATCHES.tolist():
            picture = np.tile(np.array(colour, np.uint8), (48, 64, 1))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if space is not None:
                frame = frame.reformat(format=pix_fmt, dst_colorspace=space, dst_color_range=color_range)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "space", "full"),
    [
        ("a.mp4", "libx264", "yuv420p", Colorspace.ITU709, False),
        ("a.mp4", "libx264", "yuv420p", Colorspace.ITU709, True),
        ("a.mp4", "libx264", "yuv420p", Colorspace.ITU601, False),
        ("a.mp4", "libx264", "yuv444p10le", Colorspace.ITU709, False),
        ("a.mkv", "mjpeg", "yuvj420p", None, True),
        ("a.mkv", "ffv1", "bgr0", None, False),
        ("a.mov", "png", "rgb24", None, False),
        ("a.mkv", "ffv1", "gray", None, True),
    ],
)
def test_colours_stay(tmp_path: Path, name: str, codec: str, pix_fmt: str, space: Colorspace | None, full: bool):
    source = patches(tmp_path / name, codec=codec, pix_fmt=pix_fmt, space=space, full=full)
    prepare_video(source, tmp_path / "made.mp4", crf=1)
    with open_video(source) as before, open_video(tmp_path / "made.mp4") as after:
        old, new = (video.frames_at(range(6)).pixels.int() for video in (before, after))
    assert (old - new).abs().max() <= 3
    if space is not None:
        assert (old.float().mean((2, 3)) - PATCHES).abs().max() <= 6  # the source is what it claims to be
    with av.open(str(tmp_path / "made.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_range == ColorRange.JPEG) == full
        if space is not None:
            assert context.color_trc == ColorTrc.BT709


def test_a_video_that_begins_before_zero_is_shifted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # No muxer of FFmpeg writes such a file; its clock is moved while it is read.
    demuxed = PacketReader._demuxed

    def early(self: PacketReader, *arguments: Any) -> Iterator[av.Packet]:
        for packet in demuxed(self, *arguments):
            if self.path == source:
                packet.pts, packet.dts = packet.pts - 250, packet.dts - 250
            yield packet

    source = make_clip(tmp_path / "clip.mkv", frames=20, options=GROUPS["no B-frames"])
    monkeypatch.setattr(PacketReader, "_demuxed", early)
    assert prepare_video(source, tmp_path / "made.mp4").shift_seconds == 0.25
    monkeypatch.undo()
    with open_video(source) as before, open_video(tmp_path / "made.mp4") as after:
        assert torch.allclose(after.pts_seconds, before.pts_seconds, rtol=0, atol=1e-6)


def test_a_clock_finer_than_mp4_can_hold_becomes_microseconds(tmp_path: Path):
    fine = {"video_track_timescale": "9000000"}
    source = make_clip(tmp_path / "clip.mp4", frames=12, container_options=fine, options=GROUPS["no B-frames"])
    assert {packet.time_base for packet in packets(source)} == {Fraction(1, 9_000_000)}
    assert prepare_video(source, tmp_path / "made.mp4").shift_seconds == 0
    made = packets(tmp_path / "made.mp4")
    assert {packet.time_base for packet in made} == {Fraction(1, 1_000_000)}
    assert [packet.pts for packet in made] == [round(index * 1_000_000 / 30) for index in range(12)]
    # A coarser one stays, and with it every time.
    coarse = make_clip(tmp_path / "coarse.mp4", frames=12, container_options={"video_track_timescale": "1000000"})
    prepare_video(coarse, tmp_path / "made.mp4")
    assert {packet.time_base for packet in packets(tmp_path / "made.mp4")} == {Fraction(1, 1_000_000)}


def test_every_frame_is_a_sign_of_life(tmp_path: Path):
    beats: list[None] = []
    source = make_clip(tmp_path / "clip.mp4", frames=11)
    prepare_video(source, tmp_path / "made.mp4", on_frame=lambda: beats.append(None))
    assert len(beats) == 11


def test_broken_files_leave_nothing_behind(tmp_path: Path):
    (tmp_path / "text.mkv").write_bytes(b"not a video")
    out = tmp_path / "out"
    with pytest.raises(DecodeError, match=r"text.mkv: Invalid data"):
        prepare_video(tmp_path / "text.mkv", out / "a.mp4")
    with pytest.raises(DecodeError, match=r"clip.mp4: decoding stops after \d+ frames"):
        prepare_video(CASES["wrong frame count"](tmp_path), out / "a.mp4")
    with pytest.raises(DecodeError, match=r"none.mp4: No such file"):
        prepare_video(tmp_path / "none.mp4", out / "a.mp4")
    with pytest.raises(DecodeError, match=r"is a folder"):
        prepare_video(tmp_path, out / "a.mp4")
    assert not out.exists() or not [*out.iterdir()]
    (tmp_path / "file").write_text("in the way")
    source = make_clip(tmp_path / "whole.mp4", frames=12)
    with pytest.raises(DataError, match=r"b.mp4: cannot be written: "):
        prepare_video(source, tmp_path / "file" / "b.mp4")


def test_a_target_is_kept_until_the_new_one_is_whole(tmp_path: Path):
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    (tmp_path / "made.mp4").write_bytes(b"old")
    with pytest.raises(DecodeError):
        prepare_video(tmp_path / "bad.mp4", tmp_path / "made.mp4")
    assert (tmp_path / "made.mp4").read_bytes() == b"old"
    assert isinstance(prepare_video(make_clip(tmp_path / "clip.mp4"), tmp_path / "made.mp4"), Prepared)


@pytest.mark.parametrize("wrong", [{"short_side": 255}, {"short_side": 0}, {"gop": 0}, {"crf": 52}, {"crf": -1}])
def test_settings_that_cannot_work(tmp_path: Path, wrong: dict[str, int]):
    with pytest.raises(ValueError, match="short_side is even"):
        prepare_video(tmp_path / "a.mp4", tmp_path / "b.mp4", **wrong)


def test_the_ends_of_what_settings_may_be(tmp_path: Path):
    source = make_clip(tmp_path / "clip.mp4", frames=3)
    for name, crf in (("finest.mp4", 0), ("coarsest.mp4", 51)):
        prepare_video(source, tmp_path / name, crf=crf, gop=1, short_side=2)
        with PyAVReader(tmp_path / name) as reader:
            assert len(reader.pts_seconds) == 3


def test_it_is_the_same_each_time(tmp_path: Path):
    source = make_clip(tmp_path / "clip.mp4", frames=20)
    shifted = remux(source, tmp_path / "shifted.mkv", shift=0)
    for name, path in (("a", source), ("b", source), ("c", shifted)):
        prepare_video(path, tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
