"""The table of a step adds up, the files are what they say, and the last line names the bottleneck."""

import gzip
import json
import re

import pytest
import torch
from PIL import Image

from tests.conftest import ROOT, small_run
from vidtok.cli import profile as profile_train
from vidtok.runs.profile_steps import TRACED


@pytest.fixture(scope="module")
def profiled(motion, tmp_path_factory):
    """What the tool says about a small run, and its folder."""
    folder = tmp_path_factory.mktemp("profile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        lines = []
        patch.setattr("builtins.print", lambda *words, **options: lines.append(" ".join(map(str, words))))
        changes = ["train.ema_decay=0.9", "train.mixup_alpha=0.4", "data.workers=0", "train.steps=3"]
        out = folder / "out"
        assert profile_train.run([*small_run(motion, folder / "run"), "--steps", "5", "--out", str(out), *changes]) == 0
    assert not (folder / "run").exists()
    return lines, out


def table(lines, start):
    """Milliseconds and shares of the rows below a line."""
    rows = {}
    for line in lines[next(i for i, line in enumerate(lines) if re.match(start, line)) + 1 :]:
        if not line.startswith("  "):
            break
        if found := re.fullmatch(r"  (.+?) +(\d+\.\d) ms +(\d+)%", line):
            rows[found[1]] = (float(found[2]), int(found[3]))
    return rows


def test_the_parts_of_a_step_add_up(profiled):
    lines, _ = profiled
    head = next(line for line in lines if line.startswith("a step of 4 clips takes"))
    whole = float(re.search(r"takes (\d+\.\d) ms", head)[1])
    assert "mean of 5 steps" in head
    assert float(re.search(r"([\d.]+) clips/s", head)[1]) == pytest.approx(4000 / whole, rel=0.02)
    rows = table(lines, "a step of")
    step = ["wait for data", "to device", "mixing", "forward", "loss", "backward", "optimizer", "averages", "log"]
    assert list(rows) == [*step, "rest"]
    assert sum(milliseconds for milliseconds, _ in rows.values()) == pytest.approx(whole, abs=0.5)
    assert sum(share for _, share in rows.values()) == pytest.approx(100, abs=5)
    # Everything that is not nothing has its part.
    assert rows["rest"][0] < 0.3 * whole


def test_the_parts_of_a_clip_add_up(profiled):
    lines, _ = profiled
    head = next(line for line in lines if line.startswith("a clip takes"))
    rows = table(lines, "a clip takes")
    assert list(rows) == ["open", "decode", "to RGB", "crop", "augment", "collate", "rest"]
    whole = float(re.search(r"takes (\d+\.\d) ms", head)[1])
    assert sum(milliseconds for milliseconds, _ in rows.values()) == pytest.approx(whole, abs=0.5)


def test_operators_are_listed_by_weight(profiled):
    lines, out = profiled
    start = next(i for i, line in enumerate(lines) if line.startswith("heaviest operators"))
    found = [re.fullmatch(r"  (\S+) +(\d+) calls +(\d+\.\d) ms a step", line) for line in lines[start + 1 : start + 9]]
    assert all(found)
    weights = [float(row[3]) for row in found]
    assert weights == sorted(weights, reverse=True)
    assert "aten::mm" in (out / "operators.txt").read_text()


def test_a_picture_and_a_trace_are_written(profiled):
    _, out = profiled
    assert {path.name for path in out.iterdir()} == {"profile.png", "operators.txt", "trace.json.gz"}
    with Image.open(out / "profile.png") as picture:
        assert picture.width == 1210
    trace = json.loads(gzip.decompress((out / "trace.json.gz").read_bytes()))
    names = [event.get("name") for event in trace["traceEvents"]]
    assert names.count("forward") == names.count("wait for data") == TRACED


def test_the_last_line_names_the_bottleneck(profiled):
    lines, _ = profiled
    assert lines[-1].startswith("bottleneck: ")


@pytest.mark.gpu
def test_on_a_gpu_both_clocks_are_shown(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments = small_run(motion, tmp_path / "run")
    assert profile_train.run([*arguments, "--steps", "5", "--out", str(tmp_path), "train.precision=bf16"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"part +processor +GPU", said)
    assert torch.cuda.is_available()
