"""Pictures as they come: of a file those of the readers, of a camera on the network what it showed."""

import av
import pytest
import torch

from tests.video.clips import make_clip
from tests.video.rtsp import SOUND, camera, pictures_of
from vidtok.errors import DecodeError
from vidtok.video.live import Source, hidden, is_camera, is_live_url
from vidtok.video.reader import open_video


@pytest.mark.parametrize("short_side", [None, 24])
def test_pictures_of_a_file_are_the_readers(tmp_path, short_side):
    path = make_clip(tmp_path / "turned.mp4", frames=8, ticks=[3, 4, 5, 8, 9, 10, 11, 14], rotation=90)
    with open_video(path) as reader, Source(path) as source:
        wanted = reader.frames_at(range(8), short_side=short_side)
        assert (source.is_live, source.name, source.fps) == (False, str(path), reader.fps)
        assert source.length_seconds == pytest.approx(8 / reader.fps)
        for index, shown in enumerate(source):
            assert shown.size == (96, 64)
            assert torch.equal(source.picture(shown, short_side), wanted.pixels[index])
            assert shown.seconds == pytest.approx(float(wanted.pts_seconds[index] - wanted.pts_seconds[0]))
    assert index == 7


@pytest.mark.parametrize(("stalls", "cause"), [(False, "the other side has closed it"), (True, "nothing came for 1 s")])
def test_a_camera_of_the_network_and_its_end(stalls, cause):
    seen, told = [], rf"^rtsp://127\.0\.0\.1:\d+/door: .* after 0\.\d s of video.*{cause}"
    with camera(30, fps=50, stalls=stalls) as url, Source(url, timeout_seconds=1.0) as source:
        assert (source.is_live, source.fps, source.length_seconds) == (True, 50.0, None)
        frames = iter(source)
        for _ in range(30):
            shown = next(frames)
            seen.append((shown.seconds, int(source.picture(shown, None)[0].float().mean())))
        with pytest.raises(DecodeError, match=told):
            next(frames)
    times = [seconds for seconds, _ in seen]
    assert times == sorted(set(times))
    assert times[-1] - times[5] == pytest.approx(24 / 50, abs=0.01)
    assert [light for _, light in seen] == pytest.approx([int(each[0, 0, 0]) for each in pictures_of(30)], abs=3)


def test_what_is_no_source_is_said(tmp_path):
    with camera(3, sdp=SOUND) as url, pytest.raises(DecodeError, match="/door: has no video stream"):
        Source(url, timeout_seconds=5.0)
    for where, told in (
        ("rtsp://me:secret@127.0.0.1:1/x", r"^rtsp://127\.0\.0\.1:1/x: cannot be opened: Connection refused"),
        ("/dev/video77", "no such camera; those of this machine: "),
        ("/dev/null", "/dev/null: cannot be opened: "),
        (str(tmp_path / "none.mp4"), r"none\.mp4: no such file"),
        (str(tmp_path), "is a folder"),
    ):
        with pytest.raises(DecodeError, match=told):
            Source(where, timeout_seconds=1.0)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DecodeError, match=r"sound\.wav: has no video stream"):
        Source(tmp_path / "sound.wav")


def test_names_of_sources():
    assert hidden("rtsp://me:pass@word@host:554/a@b") == "rtsp://host:554/a@b"
    assert hidden("rtsp://me:secret@host:554/door") == "rtsp://host:554/door"
    assert hidden("clips/a@b.mp4") == "clips/a@b.mp4"
    assert is_live_url("rtsp://host/x")
    assert is_live_url("rtmp://h")
    assert not any(is_live_url(each) for each in ("rtsp:///x", "a/rtsp://b", "https://h/a.mp4"))
    assert is_camera("/dev/video0")
    assert not is_camera("dev/video0")
