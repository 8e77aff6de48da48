"""A checked video was decoded from its first frame to its last."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.video.clips import GROUPS, make_clip, numbered_picture
from tests.video.test_conformance import CASES, DECODERS, rotated
from vidtok.errors import DecodeError
from vidtok.video.check import VideoFacts, check_video, has_variable_rate


def test_facts(tmp_path: Path):
    beats: list[None] = []
    facts = check_video(
        make_clip(tmp_path / "clip.mkv", fps=Fraction(30000, 1001)), on_frame=lambda: beats.append(None)
    )
    assert facts == VideoFacts(
        frames=60,
        fps=facts.fps,
        seconds=facts.seconds,
        size=(64, 96),
        codec="h264",
        container="matroska,webm",
        has_variable_rate=False,
        damaged_frames=0,
    )
    assert (facts.fps, facts.seconds) == (pytest.approx(29.97, abs=0.01), pytest.approx(2.002, abs=0.002))
    assert len(beats) == 60


@pytest.mark.parametrize("backend", DECODERS)
def test_other_backends(tmp_path: Path, backend: str):
    path = make_clip(tmp_path / "clip.mp4", frames=20)
    beats: list[None] = []
    facts = check_video(path, backend=backend, on_frame=lambda: beats.append(None))
    assert facts == check_video(path)
    assert beats


def test_pictures(tmp_path: Path):
    for number in range(5):
        Image.fromarray(numbered_picture(number)).save(tmp_path / f"img_{number}.png")
    facts = check_video(tmp_path)
    assert (facts.frames, facts.size, facts.codec, facts.container) == (5, (64, 96), "", "pictures")
    (tmp_path / "img_3.png").write_bytes(b"no picture")
    with pytest.raises(DecodeError, match="img_3"):
        check_video(tmp_path)


def test_size_is_that_of_the_upright_picture(tmp_path: Path):
    assert check_video(rotated(tmp_path, rotation=90)).size == (64, 96)


@pytest.mark.parametrize("case", ["variable rate", "variable rate, no frame count"])
def test_variable_rates_are_seen(tmp_path: Path, case: str):
    assert check_video(CASES[case](tmp_path)).has_variable_rate


@pytest.mark.parametrize("rate", [1.0, 24000 / 1001, 25.0, 30000 / 1001, 60.0, 240.0])
def test_rounded_times_are_no_variable_rate(rate: float):
    times = torch.arange(500, dtype=torch.float64) / rate
    assert not has_variable_rate(times)
    assert not has_variable_rate((times * 1000).round() / 1000)
    dropped = torch.cat([times[:200], times[201:]])
    assert has_variable_rate(dropped)
    assert not has_variable_rate(times[:1])


def test_bad_files_are_named_with_their_cause(tmp_path: Path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello")
    for name, cause in (("empty", "is empty, 0 bytes"), ("text", "Invalid data"), ("none", "No such file")):
        with pytest.raises(DecodeError, match=rf"{name}.mp4: {cause}"):
            check_video(tmp_path / f"{name}.mp4")
    with pytest.raises(DecodeError, match="decoding stops after"):
        check_video(CASES["wrong frame count"](tmp_path))


def test_frames_that_the_decoder_made_up_are_counted(tmp_path: Path):
    data = make_clip(tmp_path / "clip.ts", size=(192, 256), options=GROUPS["no B-frames"]).read_bytes()
    starts = range(len(data) // 2 // 188 * 188, len(data), 188)
    lost = next(at for at in starts if data[at + 1] == 0x01 and data[at + 3] & 0xF0 == 0x10)  # within a frame
    (tmp_path / "clip.ts").write_bytes(data[:lost] + data[lost + 188 :])
    facts = check_video(tmp_path / "clip.ts")
    assert facts.frames == 60
    assert 0 < facts.damaged_frames < 30
