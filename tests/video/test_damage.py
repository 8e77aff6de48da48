"""Damaged files: frames asked alone, in any order, are those of all together, and what is spoiled is told."""

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.video.clips import GROUPS, make_clip
from vidtok.errors import DecodeError
from vidtok.video.check import check_video
from vidtok.video.damage import Damage
from vidtok.video.prepare import prepare_video
from vidtok.video.pyav import PyAVReader
from vidtok.video.stream import every_frame
from vidtok.video.table import FrameTable

FRAMES = 36
HEVC = "bframes=3:keyint=12:min-keyint=12:log-level=none"
CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("mp4", "libx264", GROUPS["keyframe every 12, B-frames"]),
    "h264, open groups": ("mkv", "libx264", GROUPS["open groups"]),
    "h264 without CABAC": ("mp4", "libx264", {"x264-params": "keyint=12:min-keyint=12:bframes=0:scenecut=0:cabac=0"}),
    "hevc": ("mp4", "libx265", {"x265-params": HEVC}),
    "hevc, open groups": ("mkv", "libx265", {"x265-params": f"open-gop=1:{HEVC}"}),
    "mpeg4": ("mp4", "mpeg4", {"bf": "2", "g": "12", "b": "2M"}),
    "mpeg4 in avi": ("avi", "mpeg4", {"bf": "2", "g": "12", "b": "2M"}),
    "mpeg2": ("ts", "mpeg2video", {"bf": "2", "g": "12", "b": "2M"}),
    "vp8": ("webm", "libvpx", {"g": "12", "b": "2M"}),
    "vp9": ("webm", "libvpx-vp9", {"g": "12", "b": "2M"}),
    "av1": ("mkv", "libsvtav1", {"g": "12", "preset": "12"}),
}
TOLD = ["h264", "h264, open groups", "h264 without CABAC", "mpeg4", "mpeg2"]  # by a mark on the frame


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("damage")

    class Made(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            suffix, codec, options = CODECS[name]
            if codec not in av.codecs_available:
                pytest.skip(f"PyAV has no encoder {codec}")
            path = folder / f"{len(self)}.{suffix}"
            self[name] = make_clip(
                path, frames=FRAMES, codec=codec, options=options, size=(96, 144), fps=Fraction(25)
            )  # fmt: skip
            return path

    return Made()


def flipped(path: Path, target: Path, *, seed: int, of_keyframe: bool) -> int:
    """Six bits flipped in one packet that is none of the first group's keyframe; its number."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    rng = random.Random(seed)
    number = rng.choice([i for i, (_, _, key) in enumerate(packets) if i and key == of_keyframe])
    pos, size, _ = packets[number]
    data = bytearray(path.read_bytes())
    for _ in range(6):
        data[rng.randrange(pos + min(12, size // 2), pos + size)] ^= 1 << rng.randrange(8)
    target.write_bytes(data)
    return number


def read(path: Path, indices: list[int]) -> torch.Tensor:
    with PyAVReader(path) as video:
        return video.frames_at(indices).pixels


@pytest.mark.parametrize("of_keyframe", [True, False], ids=["keyframe", "other"])
@pytest.mark.parametrize("name", CODECS)
def test_frames_alone_are_those_of_all_together(tmp_path: Path, whole, name: str, of_keyframe: bool):
    compared = 0
    for seed in range(2):
        path = tmp_path / f"{seed}{whole[name].suffix}"
        flipped(whole[name], path, seed=seed, of_keyframe=of_keyframe)
        try:
            with PyAVReader(path) as video:
                length = len(video)
                together = video.frames_at(range(length)).pixels
        except DecodeError:
            continue  # said
        order = random.Random(seed).sample(range(length), 6)
        with PyAVReader(path) as video:
            for index in order:
                assert torch.equal(video.frames_at([index]).pixels[0], together[index]), (seed, index)
            assert torch.equal(video.frames_at(order).pixels, together[order])
            assert torch.equal(video.frames_at(range(length)).pixels, together)
        for index in order[:2]:
            assert torch.equal(read(path, [index])[0], together[index]), (seed, index)
        compared += 1
    assert compared or name == "av1", "no file of this codec was read"


@pytest.mark.parametrize("of_keyframe", [True, False], ids=["keyframe", "other"])
@pytest.mark.parametrize("name", TOLD)
def test_what_differs_is_told(tmp_path: Path, whole, name: str, of_keyframe: bool):
    """Of each file with a mark, all frames that differ from the undamaged file's, up to the next whole keyframe."""
    right = read(whole[name], list(range(FRAMES)))
    told = 0
    for seed in range(3):
        path = tmp_path / f"{seed}{whole[name].suffix}"
        flipped(whole[name], path, seed=seed, of_keyframe=of_keyframe)
        try:
            facts = check_video(path)
        except DecodeError:
            continue
        if not facts.damaged_frames:
            continue
        told += 1
        with PyAVReader(path) as video:
            got = video.frames_at(range(FRAMES)).pixels
            together = video.damaged
            differ = {i for i in range(FRAMES) if not torch.equal(got[i], right[i])}
            assert differ <= together
            assert facts.damaged_frames == len(together) <= 26
        for index in random.Random(seed).sample(range(FRAMES), 3):
            with PyAVReader(path) as video:
                video.frames_at([index])
                # Behind a damaged frame that no other leans on, nothing differs; alone, it is left out and not seen.
                assert differ & {index} <= video.damaged <= together & {index}
    assert told


def test_a_sound_file_has_no_damage(whole):
    for name in TOLD:
        with PyAVReader(whole[name]) as video:
            video.frames_at([3, 30])
            assert video.damaged == frozenset()
            list(every_frame(video))
            assert video.damaged == frozenset()


def test_prepared_videos_say_that_their_source_was_damaged(tmp_path: Path, whole):
    path = tmp_path / "clip.mp4"
    flipped(whole["h264"], path, seed=0, of_keyframe=True)
    damaged = check_video(path).damaged_frames
    assert damaged >= 12
    assert prepare_video(path, tmp_path / "made.mp4", short_side=64, preset="ultrafast").damaged_frames == damaged


def test_the_picture_in_the_docstring():
    """In the order of showing I0 B1 B2 P3 B4 B5 P6 B7 B8 I9 P12, where P12 is the eleventh."""
    ticks = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12])
    pts = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12]
    table = FrameTable(ticks=ticks, entry=np.zeros(11, np.int64), by_order=False)
    damage = Damage(table, pts)
    assert not damage
    for index in range(11):
        damage.see(index, is_corrupt=index == 6, is_keyframe=index in (0, 9))
    assert damage
    assert damage.spoiled(range(11)) == {4, 5, 6, 7, 8}
    assert damage.spoiled([3, 5, 9, 10]) == {5}
    hidden = Damage(table, pts)
    hidden.see(-1, is_corrupt=True, is_keyframe=True)
    hidden.see(9, is_corrupt=False, is_keyframe=True)
    assert hidden.spoiled(range(11)) == set(range(9))
    counted = Damage(FrameTable(ticks=ticks, entry=np.zeros(11, np.int64), by_order=True), [None] * 11)
    for index in range(11):
        counted.see(index, is_corrupt=index == 6, is_keyframe=index in (0, 9))
    assert counted.spoiled(range(11)) == {6, 7, 8}


@pytest.mark.parametrize("by_order", [True, False])
def test_more_frames_than_were_counted_count_behind_all_others(by_order: bool):
    """A damaged file without times may give them: they spoil nothing in front of them."""
    table = FrameTable(ticks=np.arange(3), entry=np.zeros(3, np.int64), by_order=by_order)
    damage = Damage(table, [None] * 3 if by_order else [0, 1, 2])
    for index in range(5):
        damage.see(index, is_corrupt=index == 4, is_keyframe=index in (0, 3))
    assert damage
    assert damage.spoiled(range(3)) == set()
    damage.see(1, is_corrupt=True, is_keyframe=False)
    assert damage.spoiled(range(3)) == {1, 2}
