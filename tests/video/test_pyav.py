import os
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.frame import PictureType

from tests.video.clips import (
    GROUPS,
    RATES,
    make_clip,
    numbered_picture,
    read_numbers,
    refusal_elsewhere,
    remux,
    watch_decoder,
    zero_packets,
)
from vidtok.errors import DecodeError
from vidtok.types import Box
from vidtok.video import packets
from vidtok.video.pyav import PyAVReader


def check_every_way(path: Path, *, numbers: list[int]) -> None:
    """All frames in order, random sets in any order with repeats, single frames back and forth, two sizes."""
    rng = random.Random(0)
    with PyAVReader(path) as video:
        assert len(video) == len(numbers)
        assert bool((video.pts_seconds.diff() > 0).all())
        whole = video.frames_at(range(len(video)))
        assert read_numbers(whole.pixels.numpy()) == numbers
        assert torch.equal(whole.pts_seconds, video.pts_seconds)
        sets = [[rng.randrange(len(video)) for _ in range(rng.randint(1, 9))] for _ in range(12)]
        sets += [[len(video) - 1], [0], [len(video) - 1, 0, len(video) - 1], []]
        for indices in sets:
            frames = video.frames_at(indices)
            assert torch.equal(frames.pixels, whole.pixels[indices])
            assert read_numbers(frames.pixels.numpy()) == [numbers[i] for i in indices]
            assert frames.pts_seconds.tolist() == [float(video.pts_seconds[i]) for i in indices]
            small = video.frames_at(indices, short_side=48)
            assert small.pixels.shape[-2:] == (48, 72)
            assert read_numbers(small.pixels.numpy()) == [numbers[i] for i in indices]


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
def test_frames_at_every_rate(tmp_path: Path, rate: Fraction):
    path = make_clip(tmp_path / "clip.mp4", fps=rate, options=GROUPS["keyframe every 12, B-frames"])
    check_every_way(path, numbers=list(range(60)))
    with PyAVReader(path) as video:
        assert video.fps == pytest.approx(float(rate))
        assert video.size == (64, 96)
        assert video.pts_seconds.tolist() == pytest.approx([i / float(rate) for i in range(60)], abs=1e-4)


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi", "flv", "h264"])
def test_frames_in_every_container(tmp_path: Path, groups: dict[str, str], container: str):
    path = make_clip(tmp_path / f"clip.{container}", options=groups, fps=Fraction(24))
    check_every_way(path, numbers=list(range(60)))
    if container != "h264":  # a bare stream of H.264 has no times, and is played at 25
        with PyAVReader(path) as video:
            shown = video.pts_seconds - video.pts_seconds[0]
            assert shown.tolist() == pytest.approx([i / 24 for i in range(60)], abs=1e-3)
            assert video.fps == pytest.approx(24, rel=1e-3)


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("mpeg4", "avi", {"bf": "2"}),
        ("mpeg4", "avi", {}),
        ("mpeg4", "mp4", {"bf": "2", "g": "12"}),
        ("mpeg2video", "ts", {"bf": "2", "g": "12"}),
        ("mpeg2video", "mpg", {"bf": "2", "g": "12"}),
        ("mjpeg", "avi", {}),
        ("libvpx", "webm", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "20"}),
        ("libvpx-vp9", "webm", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "20"}),
        ("libx265", "mp4", {"x265-params": "open-gop=1:bframes=3:keyint=12:min-keyint=12:log-level=none"}),
        ("wmv2", "wmv", {}),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_frames_of_every_codec(tmp_path: Path, codec: str, container: str, options: dict[str, str]):
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_clip(
        tmp_path / f"clip.{container}", codec=codec, options={"b": "2M", **options}, pix_fmt=pix_fmt, fps=Fraction(25)
    )
    check_every_way(path, numbers=list(range(60)))


def test_variable_rate(tmp_path: Path):
    ticks = np.cumsum(np.random.default_rng(0).integers(1, 9, size=60)).tolist()
    path = make_clip(
        tmp_path / "clip.mp4", ticks=ticks, fps=Fraction(90), options=GROUPS["keyframe every 12, B-frames"]
    )
    check_every_way(path, numbers=list(range(60)))
    with PyAVReader(path) as video:
        shown = video.pts_seconds - video.pts_seconds[0]
        assert shown.tolist() == pytest.approx([(tick - ticks[0]) / 90 for tick in ticks], abs=1e-4)


def test_first_time_far_from_zero(tmp_path: Path):
    path = make_clip(tmp_path / "clip.ts", ticks=range(3000, 3060))
    check_every_way(path, numbers=list(range(60)))
    with PyAVReader(path) as video:
        assert float(video.pts_seconds[0]) > 99


def test_edit_lists_cut_frames_off(tmp_path: Path):
    whole = make_clip(tmp_path / "whole.mp4", options=GROUPS["open groups"])
    ticks_per_frame = 512
    cut = remux(whole, tmp_path / "cut.mp4", shift=-7 * ticks_per_frame, avoid_negative_ts="disabled")
    check_every_way(cut, numbers=list(range(7, 60)))


def test_files_cut_inside_a_group_begin_with_the_first_whole_frame(tmp_path: Path):
    whole = make_clip(tmp_path / "whole.ts", codec="mpeg2video", options={"bf": "2", "g": "12", "b": "2M"})
    cut = remux(whole, tmp_path / "cut.ts", skip_packets=5)
    with PyAVReader(cut) as video:
        first = 60 - len(video)
    assert 10 <= first <= 16
    check_every_way(cut, numbers=list(range(first, 60)))


def test_a_keyframe_flag_that_begins_a_gradual_refresh_is_not_believed(tmp_path: Path):
    refresh = {"x264-params": "intra-refresh=1:keyint=12:bframes=0:rc-lookahead=0:ref=2"}
    check_every_way(make_clip(tmp_path / "clip.mkv", options=refresh), numbers=list(range(60)))


@pytest.mark.parametrize(
    ("size", "pix_fmt"),
    [((65, 97), "yuv444p"), ((65, 97), "gray"), ((16, 24), "gray"), ((16, 24), "yuv420p10le"), ((240, 320), "yuv422p")],
)
def test_odd_sizes_ten_bits_and_grey(tmp_path: Path, size: tuple[int, int], pix_fmt: str):
    path = make_clip(tmp_path / "clip.mp4", frames=12, size=size, pix_fmt=pix_fmt)
    with PyAVReader(path) as video:
        assert video.size == size
        pixels = video.frames_at([11, 4]).pixels
        assert pixels.shape == (2, 3, *size)
        assert read_numbers(pixels.numpy()) == [11, 4]


@pytest.mark.parametrize("rotation", [90, 180, -90])
@pytest.mark.parametrize("short_side", [None, 48])
def test_rotation_in_the_metadata_is_applied(tmp_path: Path, rotation: int, short_side: int | None):
    turned = np.rot90(numbered_picture(2901), k=-rotation // 90)  # what the camera wrote; players turn it back
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = turned.shape[:2]
        stream.set_display_rotation(rotation)
        for _ in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(turned))))
        container.mux(stream.encode(None))
    with PyAVReader(path) as video:
        assert video.size == (64, 96)
        pixels = video.frames_at([0, 8], short_side=short_side).pixels
    assert pixels.shape[-2:] == ((64, 96) if short_side is None else (48, 72))
    assert read_numbers(pixels.numpy()) == [2901, 2901]


def test_pictures_whose_size_changes_are_scaled_to_the_first_size(tmp_path: Path):
    small = make_clip(tmp_path / "small.ts", frames=20, size=(64, 96))
    large = make_clip(tmp_path / "large.ts", frames=20, size=(128, 192))
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    check_every_way(tmp_path / "both.ts", numbers=[*range(20), *range(20)])


def test_long_streams_are_read_from_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packets, "KEPT_BYTES", 5000)
    path = make_clip(tmp_path / "clip.ts", options=GROUPS["open groups"])
    assert path.stat().st_size > 10_000
    check_every_way(path, numbers=list(range(60)))


def test_jumping_decodes_only_the_groups_that_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", options=GROUPS["no B-frames"])  # keyframes 0, 16, 32, 48
    decoded = watch_decoder(monkeypatch)
    with PyAVReader(path) as video:
        video.frames_at([50, 2, 17, 19])
    assert len(decoded) == 3 + 4 + 3
    assert len({frame.pts for frame in decoded}) == len(decoded)


def test_frames_that_no_other_leans_on_are_not_decoded_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", options={"x264-params": "keyint=250:bframes=2:b-pyramid=0:b-adapt=0"})
    with PyAVReader(path) as video:
        whole = video.frames_at(range(60))
        decoded = watch_decoder(monkeypatch)
        assert torch.equal(video.frames_at([4, 50]).pixels, whole.pixels[[4, 50]])
        assert len(decoded) < 25
        assert sum(frame.pict_type == PictureType.B for frame in decoded) <= 2
        assert torch.equal(video.frames_at(range(60)).pixels, whole.pixels)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_box_of_the_pictures_is_a_part_of_the_whole_ones(tmp_path: Path, rotation: int):
    box = Box(top=3, left=10, height=31, width=45)
    drawn = []
    with PyAVReader(make_clip(tmp_path / "clip.mp4", frames=9, rotation=rotation)) as video:
        got = video.frames_at([7, 2, 2], within=lambda size: drawn.append(size) or box)
        assert drawn == [video.size]
        whole = video.frames_at([7, 2, 2])
        assert torch.equal(got.pixels, whole.pixels[:, :, 3:34, 10:55])
        assert torch.equal(got.pts_seconds, whole.pts_seconds)
        assert len(video.frames_at([], within=lambda size: box).pixels) == 0
        with pytest.raises(ValueError, match="is not inside of a picture"):
            video.frames_at([1], within=lambda size: Box(top=0, left=0, height=97, width=97))
        with pytest.raises(ValueError, match="leave short_side or within out"):
            video.frames_at([1], short_side=32, within=lambda size: box)


def test_one_picture_at_a_time(tmp_path: Path):
    with PyAVReader(make_clip(tmp_path / "clip.mp4", frames=9)) as video:
        for short_side in (None, 32):
            frames = video.frames_at([2, 5, 7], short_side=short_side)
            for row, (index, picture) in enumerate(video.each_at([7, 2, 5, 2], short_side=short_side)):
                assert index == [2, 5, 7][row]
                assert picture.stride() == frames.pixels[row].stride()
                assert torch.equal(picture, frames.pixels[row])
        assert list(video.each_at([])) == []


def test_asking_beyond_the_end(tmp_path: Path):
    with PyAVReader(make_clip(tmp_path / "clip.mp4", frames=9)) as video:
        for index in (9, -1):
            with pytest.raises(DecodeError, match=rf"asked for {index}"):
                next(video.each_at([3, index]))
            with pytest.raises(DecodeError, match=rf"clip.mp4: has frames 0 to 8, asked for {index}"):
                video.frames_at([3, index])


def test_damage_that_only_the_decoder_sees(tmp_path: Path):
    """Packets of zeros in the middle: the frames before come, one after is an error with the file's name."""
    path = make_clip(tmp_path / "clip.mp4", options=GROUPS["no B-frames"])
    zero_packets(path, 20, 23)
    with PyAVReader(path) as video:
        assert read_numbers(video.frames_at(range(16)).pixels.numpy()) == list(range(16))
        with pytest.raises(DecodeError, match=r"clip.mp4: frame \d+ of 60"):
            video.frames_at(range(60))
        assert read_numbers(video.frames_at([3, 50]).pixels.numpy()) == [3, 50]


def test_truncated_files_give_what_is_left(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with PyAVReader(path) as video:
        assert 8 <= len(video) < 60
        assert read_numbers(video.frames_at(range(len(video))).pixels.numpy()) == list(range(len(video)))
        with pytest.raises(DecodeError, match="asked for 60"):
            video.frames_at([60])


def test_a_deadline_ends_opening_and_reading(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4")
    with pytest.raises(DecodeError, match=r"clip\.mp4: "):
        PyAVReader(path, timeout_seconds=0.0)
    with PyAVReader(path) as video:
        video.timeout_seconds = 0.0
        with pytest.raises(DecodeError, match="not read within 0 s"):
            video.frames_at([50])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard is for forked processes")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_reader_refuses_to_work_in_another_process(tmp_path: Path):
    with PyAVReader(make_clip(tmp_path / "clip.mp4", frames=9)) as video:
        assert f"opened by process {os.getpid()}" in refusal_elsewhere(video)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts file handles in /proc")
def test_no_file_handle_stays_open(tmp_path: Path):
    good = make_clip(tmp_path / "good.mp4", frames=9)
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with PyAVReader(good) as video:
            video.frames_at([0])
        with pytest.raises(DecodeError, match="no video stream"):
            PyAVReader(sound)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
