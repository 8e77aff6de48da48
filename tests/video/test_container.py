"""Opening a file with FFmpeg."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.clips import make_clip
from vidtok.errors import DecodeError
from vidtok.video import container as opening
from vidtok.video.container import begins_as_iso, is_iso, open_container


@pytest.mark.parametrize(
    ("name", "options", "looked"),
    [
        ("a.mp4", {}, False),
        ("a.mov", {}, False),
        ("a.mkv", {}, True),
        ("a.mp4", {"codec": "mpeg4"}, True),
    ],
    ids=str,
)
def test_ffmpeg_looks_at_frames_where_the_header_does_not_tell(tmp_path: Path, name, options, looked):
    path = make_clip(tmp_path / name, frames=3, **options)
    for probe in (False, True):
        container, stream, probed = open_container(path, timeout_seconds=30.0, probe=probe)
        with container:
            assert probed == (looked or probe)
            assert (stream.codec_context.height, stream.codec_context.width) == (64, 96)
            assert sum(1 for _ in container.decode(stream)) == 3


def test_a_header_that_tells_all_is_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By FFmpeg's option of this name, at a value that no decoder has."""
    paths = [make_clip(tmp_path / "a.mp4", frames=3), make_clip(tmp_path / "b.mp4", frames=3, codec="mpeg4")]
    asked, open_file = [], av.open
    monkeypatch.setattr(opening.av, "open", lambda *a, **k: asked.append(k["options"]) or open_file(*a, **k))
    for path in paths:
        open_container(path, timeout_seconds=30.0, probe=False)[0].close()
    assert asked == [{"codec_whitelist": "none"}, {"codec_whitelist": "none"}, {}]


def test_a_container_that_is_not_returned_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "a.mp4", frames=3, codec="mpeg4")
    opened = []
    open_file = av.open
    monkeypatch.setattr(opening.av, "open", lambda *a, **k: opened.append(open_file(*a, **k)) or opened[-1])
    kept, _, _ = open_container(path, timeout_seconds=30.0, probe=False)
    assert len(opened) == 2
    assert opened[1] is kept
    with pytest.raises((AssertionError, ValueError), match=r"closed|Container"):
        next(opened[0].demux())
    kept.close()


def test_sound_alone_and_claims_of_any_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(DecodeError, match=r"sound\.wav: has no video stream"):
        open_container(tmp_path / "sound.wav", timeout_seconds=30.0, probe=False)
    path = make_clip(tmp_path / "a.mp4", frames=3)
    monkeypatch.setattr(opening, "MOST_PIXELS", 64 * 96 - 1)
    with pytest.raises(DecodeError, match=r"a\.mp4: claims pictures of 96 x 64 pixels; 6143 are read at most"):
        open_container(path, timeout_seconds=30.0, probe=False)


def test_the_iso_format_is_told_by_its_first_box(tmp_path: Path):
    assert begins_as_iso(b"\0\0\0\x20ftyp")
    assert not begins_as_iso(b"ftyp\0\0\0\x20")
    assert is_iso(make_clip(tmp_path / "a.mp4", frames=1))
    assert not is_iso(make_clip(tmp_path / "a.mkv", frames=1))
    assert not is_iso(tmp_path / "none.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert not is_iso(tmp_path / "pipe.mp4")
