"""What is decord's own; its pictures are in test_conformance."""

import sys
from pathlib import Path

import pytest

from tests.video.clips import GROUPS, make_clip, read_numbers, zero_packets
from vidtok.errors import ConfigError, DecodeError
from vidtok.video.decord import DecordReader
from vidtok.video.reader import check_backend, open_video


def test_its_absence_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", frames=9)
    monkeypatch.setitem(sys.modules, "decord", None)
    for act in (lambda: check_backend("decord"), lambda: open_video(path, backend="decord")):
        with pytest.raises(ConfigError, match=r"`backend`=decord: .*Linux on x86-64.*`backend`=pyav"):
            act()


def test_going_back_begins_again(tmp_path: Path):
    decord = pytest.importorskip("decord")
    with DecordReader(make_clip(tmp_path / "clip.mp4", options=GROUPS["open groups"])) as video:
        for indices in ([0], [0, 1], [50, 49], [49], [50], [3, 59], [59], []):
            assert read_numbers(video.frames_at(indices).pixels.numpy()) == indices
    assert decord.bridge.bridge_out("as before") == "as before"


def test_damage_is_an_error_and_no_other_frame(tmp_path: Path):
    pytest.importorskip("decord")
    path = make_clip(tmp_path / "clip.mp4", options=GROUPS["no B-frames"])
    zero_packets(path, 20, 23)
    with pytest.raises(DecodeError, match=r"clip\.mp4: decord: \w+"):  # its thread runs ahead: sooner or later
        with DecordReader(path) as video:
            video.frames_at([40])


def test_the_deadline_is_looked_at_on_the_way_to_a_frame(tmp_path: Path):
    pytest.importorskip("decord")
    with DecordReader(make_clip(tmp_path / "clip.mp4")) as video:
        video._deadline = 0.0
        with pytest.raises(DecodeError, match="not read within 30 s"):
            video._picture(50)
