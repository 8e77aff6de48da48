"""The attention video, read back."""

import av
import pytest

from tests.conftest import ROOT, small_run
from vidtok.cli import train, visualize
from vidtok.errors import VidtokError


@pytest.fixture(scope="module")
def trained(motion, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert train.run([*small_run(motion, run), "train.steps=1", "data.workers=0"]) == 0
    return run


@pytest.mark.parametrize(("stride", "rate"), [(1, 12), (2, 6)])
def test_the_video_is_the_clip_at_its_own_pace(motion, trained, tmp_path, capsys, stride, rate):
    out = tmp_path / "maps.mp4"
    video = motion / "val" / "00004.mp4"
    assert visualize.run(["--checkpoint", str(trained), str(video), "--out", str(out), f"data.stride={stride}"]) == 0
    assert "8 frames" in capsys.readouterr().out
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert len(frames) == 8
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.width % 2 == stream.height % 2 == 0
        assert float(stream.average_rate) == rate
    # Fast start: the index lies before the pictures, so that a browser can begin at once.
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_broken_video_is_named(trained, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VidtokError, match=r"text\.mp4"):
        visualize.run(["--checkpoint", str(trained), str(tmp_path / "text.mp4"), "--out", str(tmp_path / "o.mp4")])
    assert not (tmp_path / "o.mp4").exists()
