"""vidtok stream: the scores of the windows of a video, its label drawn below it, and how far behind it is."""

import json
import re
import signal
import time
from fractions import Fraction

import av
import pytest
import torch

import vidtok.runs.stream as module
from tests.conftest import called
from tests.infer.test_timeline import encoder_model
from tests.video.clips import make_clip
from tests.video.rtsp import camera
from vidtok.errors import ModelError
from vidtok.infer.stream import StreamingClassifier
from vidtok.infer.timeline import score_windows
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.runs.stream import run_stream

FEEDING = Feeding(stride=2, short_side=36)
APART = {
    "mixer": {"name": "mhsa", "axes": "space"},
    "token_learner": {"after_block": 1, "tokens": 2},
    "position": "sincos_separable",
}


def model(**options):
    sizes = {"frames": 6, "size": 32, "tubelet": (2, 8, 8), "width": 12, "depth": 2, "heads": 2}
    made = create_model("vivit", classes=["a", "b", "c"], feeding=FEEDING, seed=0, **sizes, **options)
    torch.nn.init.normal_(made.network.head.logits.weight, generator=torch.Generator().manual_seed(0))
    return made.eval()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed") / "model"
    model(**APART).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("shown") / "shown.mp4", frames=60, fps=Fraction(25))


def rows_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def scores_of(row):
    return [each["score"] for each in sorted(row["predictions"], key=lambda each: each["class"])]


def test_a_file_gets_the_scores_of_all_its_windows_and_its_label(saved, video, tmp_path):
    out, lines = tmp_path / "new" / "out.mp4", tmp_path / "lines.jsonl"
    done = called("stream", video, "--model", saved, "--out", out, "--jsonl", lines)
    assert done.returncode == 0, done.stderr
    wanted = score_windows(model(**APART), video, step_seconds=0.16)
    rows = rows_of(lines)
    assert len(rows) == 13
    found = torch.tensor([scores_of(row) for row in rows])
    torch.testing.assert_close(found, torch.from_numpy(wanted.scores[:13]), rtol=0, atol=1e-5)
    assert [row["seconds"] for row in rows] == pytest.approx(wanted.windows.indices[:13, -1].double().numpy() / 25)
    assert {row["lag_seconds"] for row in rows} == {None}
    assert all(row["label"] == row["predictions"][0]["class"] for row in rows)
    assert re.search(r"shown\.mp4: 2\.4 s of video, 13 windows, [\d.e+]+ times as fast as it is shown", done.stdout)
    with av.open(str(out)) as shown:
        frames = list(shown.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(60)], abs=1e-3)
    assert (frames[0].width, frames[0].height > 240) == (360, True)  # small pictures are shown larger
    bands = [frame.to_ndarray(format="rgb24")[256:].astype(int) for frame in frames]
    assert abs(bands[5] - bands[0]).max() < 40 < abs(bands[12] - bands[5]).max()


def test_an_encoder_of_frames_streams_as_its_timeline_is(video, tmp_path):
    net, lines = encoder_model(), tmp_path / "lines.jsonl"
    run_stream(net, video, jsonl=lines, window_seconds=0.8)
    wanted = score_windows(net, video, window_seconds=0.8, step_seconds=0.2)
    found = torch.tensor([scores_of(row) for row in rows_of(lines)])
    torch.testing.assert_close(found, torch.from_numpy(wanted.scores), rtol=0, atol=1e-5)


def test_what_does_not_wait_drops_steps_and_never_scores_a_window_with_gaps(video, tmp_path, monkeypatch):
    push, under_way = StreamingClassifier.push, []

    class Watched(module.Running):
        def __init__(self, **options):
            super().__init__(**options)
            under_way.append(self)

    def slow(self, frames, *, latest=False):
        until = time.monotonic() + 60
        while under_way[0]._dropped_frames < 3 and time.monotonic() < until:  # at first slower than a window is long
            time.sleep(0.01)
        return push(self, frames, latest=latest)

    monkeypatch.setattr(module, "Running", Watched)
    monkeypatch.setattr(StreamingClassifier, "push", slow)
    net, lines = model(**APART), tmp_path / "lines.jsonl"
    done = run_stream(net, video, jsonl=lines, realtime=True)
    assert done.dropped >= 1
    assert done.lag_seconds is not None
    wanted = score_windows(net, video, step_seconds=0.08)
    at = {int(row[-1]): place for place, row in enumerate(wanted.windows.indices)}
    rows = rows_of(lines)
    assert 1 <= len(rows) == done.scored < 13
    for row in rows:
        scores = wanted.scores[at[round(row["seconds"] * 25)]]
        assert scores_of(row) == pytest.approx(scores.tolist(), abs=1e-5)
        assert 0 <= row["lag_seconds"] < 60
    assert rows[-1]["dropped"] == done.dropped


def test_a_camera_that_hangs_up_leaves_a_whole_file_and_an_error(saved, tmp_path):
    out = tmp_path / "out.mp4"
    with camera(40, fps=40) as url:
        done = called("stream", url, "--model", saved, "--out", out, "--jsonl", "-")
    assert done.returncode == 2
    assert re.search(r"error: rtsp://[\d.:]+/door: the stream ended after 0\.9\d? s|1\.0 s", done.stderr)
    assert "s behind at the end, " in done.stderr
    assert "secret" not in done.stderr + done.stdout
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert all(row["lag_seconds"] >= 0 for row in rows)
    with av.open(str(out)) as shown:
        assert len(list(shown.decode(video=0))) == 40


def test_ctrl_c_ends_it_with_the_file_whole(video, tmp_path, monkeypatch):
    out, said = tmp_path / "out.mp4", module.Lines.say

    def stopping(self, label, dropped):
        said(self, label, dropped)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(module.Lines, "say", stopping)
    done = run_stream(model(**APART), video, out=out)
    assert done.scored == 1
    with av.open(str(out)) as shown:
        assert len(list(shown.decode(video=0))) == 11
    monkeypatch.undo()
    assert run_stream(model(**APART), video, seconds=0.5).seconds == pytest.approx(0.48)


def test_a_model_that_computes_whole_windows_is_refused_or_asked_for(video, tmp_path, capsys):
    net, lines = model(), tmp_path / "lines.jsonl"
    with pytest.raises(ModelError, match=r"cannot be computed one by one: time steps meet in its first block \(mhsa\)"):
        run_stream(net, video)
    done = run_stream(net, video, jsonl=lines, whole_windows=True)
    assert "computing every window anew: time steps meet in its first block" in capsys.readouterr().out
    wanted = score_windows(net, video, step_seconds=0.16)
    found = torch.tensor([scores_of(row) for row in rows_of(lines)])
    torch.testing.assert_close(found, torch.from_numpy(wanted.scores[: done.scored]), rtol=0, atol=1e-5)


def test_what_cannot_be_used_is_said(saved, video, tmp_path):
    short = make_clip(tmp_path / "short.mp4", frames=5, fps=Fraction(25))
    done = called("stream", short, "--model", saved)
    assert (done.returncode, "short.mp4: no scores: a window of this model is 0.5 s long" in done.stderr) == (0, True)
    for arguments, told in (
        ([video, "--seconds", "0"], "--seconds is a time above 0 s, got 0"),
        ([video, "--top", "0"], "--top counts from 1"),
        ([video, "--window", "2"], "have a length of their own: leave out --window"),
        ([video, "--out", tmp_path / "a.avi"], "the video is an .mp4 file"),
        ([video, "--jsonl", tmp_path], "--jsonl"),
        ([tmp_path / "none.mp4"], "none.mp4: no such file"),
        (["/dev/video77"], "no such camera"),
    ):
        done = called("stream", *arguments, "--model", saved)
        assert done.returncode == 2, arguments
        assert told in done.stderr
