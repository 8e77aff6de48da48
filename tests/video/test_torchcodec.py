"""What needs no torchcodec: how its absence is told. Its pictures are in test_conformance."""

import types
from pathlib import Path

import pytest

from tests.video.clips import make_clip
from vidtok.errors import ConfigError, DecodeError
from vidtok.video import torchcodec
from vidtok.video.reader import check_backend, open_video


def pretend(monkeypatch: pytest.MonkeyPatch, outcome) -> None:
    """Let the import of torchcodec raise, or give a module whose decoder raises."""

    def import_module(name: str):
        if isinstance(outcome, ImportError | OSError):
            raise outcome

        def decoder(*arguments, **options):
            raise outcome

        return types.SimpleNamespace(VideoDecoder=decoder)

    monkeypatch.setattr(torchcodec, "importlib", types.SimpleNamespace(import_module=import_module))


@pytest.mark.parametrize(
    "outcome",
    [
        ModuleNotFoundError("No module named 'torchcodec'"),
        OSError("libnvrtc.so.13: cannot open shared object file"),
        RuntimeError("Could not load libtorchcodec. Likely causes:\n 1. FFmpeg is not properly installed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_missing_and_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Exception):
    path = make_clip(tmp_path / "clip.mp4", frames=9)
    pretend(monkeypatch, outcome)
    words = r"`backend`=torchcodec: .*pip install vidtok\[torchcodec\].*apt install ffmpeg.*`backend`=pyav"
    with pytest.raises(ConfigError, match=words) as raised:
        check_backend("torchcodec")
    assert f"({str(outcome).split('. Likely')[0]})" in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(ConfigError, match=words):
        open_video(path, backend="torchcodec")


def test_a_video_that_it_cannot_read_is_no_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", frames=9)
    pretend(monkeypatch, RuntimeError("scan_file, /src/Decoder.cpp:12, Invalid data found\nmore"))
    check_backend("torchcodec")
    with pytest.raises(DecodeError, match=r"clip\.mp4: torchcodec: Invalid data found$"):
        open_video(path, backend="torchcodec")


def test_a_frame_of_another_time_is_an_error(tmp_path: Path):
    try:
        check_backend("torchcodec")
    except ConfigError as error:
        pytest.skip(str(error))
    with open_video(make_clip(tmp_path / "clip.mp4", frames=9), backend="torchcodec") as video:
        video.pts_seconds[5] += 0.01
        with pytest.raises(DecodeError, match=r"clip\.mp4: as frame 5, shown at 0\.1767 s, .* the one of 0\.1667 s"):
            video.frames_at([5])
