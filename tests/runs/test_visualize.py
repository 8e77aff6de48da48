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
    said = capsys.readouterr().out.splitlines()
    guesses = [part.rsplit(" ", 1) for part in said[0].removeprefix("00004.mp4: ").split(", ")]
    assert {name for name, _ in guesses} <= set((motion / "classes.txt").read_text("utf-8").split("\n"))
    scores = [float(score) for _, score in guesses]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert said[1].startswith("  attention: block 2 of 2, mhsa. Query: mean over all learned tokens. Shown: attention")
    assert said[2].startswith("  token 1 … 8: TokenLearner before block 2 of 2. Query: each learned token.")
    assert said[3].startswith(f"{out}: 8 frames of ")
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


def test_folders_that_are_missing_are_made(motion, trained, tmp_path):
    out = tmp_path / "new" / "folder" / "maps.mp4"
    assert visualize.run(["--checkpoint", str(trained), str(motion / "val" / "00004.mp4"), "--out", str(out)]) == 0
    assert out.is_file()


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (".", "is a folder; name a file such as"),
        ("maps", r"the video is an \.mp4 file; .*maps\.mp4 would do"),
        ("maps.avi", r"the video is an \.mp4 file; .*maps\.mp4 would do"),
        ("text/maps.mp4", "text is a file, so nothing can be written below it"),
        ("text/deeper/maps.mp4", "text is a file, so nothing can be written below it"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_any_work(tmp_path, monkeypatch, out, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("a file")
    with pytest.raises(VidtokError, match=words):
        visualize.run(["--checkpoint", "nowhere", "a.mp4", "--out", out])


def test_odd_input_is_named(motion, trained, tmp_path):
    out = str(tmp_path / "o.mp4")
    video = str(motion / "val" / "00004.mp4")
    for checkpoint, shown, words in (
        (tmp_path / "nowhere", video, "nowhere"),
        (tmp_path, video, "no checkpoint in this folder"),
        (trained, tmp_path / "none.mp4", r"none\.mp4"),
        (trained, motion / "train.csv", r"train\.csv"),
    ):
        with pytest.raises(VidtokError, match=words):
            visualize.run(["--checkpoint", str(checkpoint), str(shown), "--out", out])
    assert not (tmp_path / "o.mp4").exists()
