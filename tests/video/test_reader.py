import socket
from pathlib import Path

import pytest

from tests.video.clips import make_clip
from vidtok.errors import DecodeError
from vidtok.video import reader
from vidtok.video.reader import BACKENDS, check_backend, open_video


def test_an_unknown_backend_is_named_beside_the_known_ones(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'cv2'; there are: .*pyav"):
        open_video(tmp_path / "clip.mp4", backend="cv2")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_is_asked_for_by_its_own_check(backend: str, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    for name in ("torchcodec", "decord"):
        monkeypatch.setattr(reader, f"check_{name}", lambda name=name: asked.append(name))
    check_backend(backend)
    assert asked == ([backend] if backend in ("torchcodec", "decord") else [])


def test_leaving_the_block_closes_the_video(tmp_path: Path):
    with open_video(make_clip(tmp_path / "clip.mp4", frames=9)) as video:
        assert len(video) == 9
    with pytest.raises(RuntimeError, match="closed"):
        video.frames_at([0])


CONTENTS = {
    "empty": "",
    "text": "not a video\n" * 99,
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile http://127.0.0.1:9/a.ts\n",
}


@pytest.mark.parametrize("kind", ["missing", "folder", *CONTENTS])
def test_what_is_no_video_is_named(tmp_path: Path, kind: str):
    path = tmp_path / f"{kind}.mp4"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text(CONTENTS[kind])
    with pytest.raises(DecodeError, match=rf"{kind}\.mp4: \w+"):
        open_video(path)


def test_a_codec_that_nobody_knows_is_an_error(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4", frames=9)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    with pytest.raises(DecodeError, match=r"clip\.mp4: .*(no video stream|decoder)"):
        open_video(path)


def test_names_that_look_like_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    clip = make_clip(tmp_path / "clip.mp4", frames=9)
    for name in ("http:a.mp4", "-a.mp4", "a %03d é 'q' \"r\".mp4", "[a].mp4"):
        Path(name).write_bytes(clip.read_bytes())
        with open_video(name) as video:
            assert len(video) == 9


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n", "ffconcat version 1.0\nfile {}\n"]
)
def test_a_file_cannot_make_the_reader_call_a_server(tmp_path: Path, text: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        path = tmp_path / "list.m3u8"
        path.write_text(text.format(f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"))
        with pytest.raises(DecodeError):
            open_video(path, timeout_seconds=2.0)
        with pytest.raises(BlockingIOError):
            server.accept()
