"""`vidtok export` writes what PyTorch agrees with, or nothing; `vidtok predict` runs what it wrote."""

import csv
import json
import re
import shutil

import pytest
import torch

from tests.conftest import called
from tests.infer.exports import small_model
from tests.runs.own_clips import own_clips
from vidtok.cli import export as cli
from vidtok.errors import ConfigError, DataError, ModelError, VidtokError
from vidtok.runs import export, progress
from vidtok.runs.export import run_export


@pytest.fixture(scope="module")
def said(exported):
    return json.loads((exported / "said.json").read_text())


def test_the_difference_to_pytorch_is_said_for_each_batch(said, exported):
    for name in ("model.onnx", "normalised.pt2"):
        assert said[name]["status"] == 0
        first, *_, last = said[name]["out"].splitlines()
        assert first.startswith("against PyTorch, share of the largest logit: batch 1: ")
        assert [part.split(":")[0].strip() for part in first.split(": ", 1)[1].split(",")] == [
            "batch 1",
            "batch 2",
            "batch 5",
        ]
        assert last.startswith(f"written: {exported / name} (")
    assert not [path for path in exported.iterdir() if path.name.startswith((".", "eight_"))]


def test_predict_runs_the_file_and_says_what_the_model_says(exported, tmp_path):
    own_clips(tmp_path / "clips", each=1, frames=4)
    tables = []
    for name in ("model", "model.onnx"):
        out = tmp_path / f"{name}.csv"
        done = called("predict", "--model", exported / name, tmp_path / "clips", "--out", out, "--all-scores")
        assert done.returncode == 0, done.stderr
        tables.append(list(csv.reader(out.read_text().splitlines())))
    header, *rows = tables[0]
    assert header == tables[1][0] == ["video", "blue", "green", "red"]
    assert len(rows) == 3
    for ours, theirs in zip(rows, tables[1][1:], strict=True):
        assert ours[0] == theirs[0]
        assert [float(cell) for cell in theirs[1:]] == pytest.approx([float(cell) for cell in ours[1:]], abs=2e-6)


def stub(monkeypatch, *, off: float):
    """A file that is written without being traced, and whose runner is `off` from the model."""
    monkeypatch.setattr(export, "export_program", lambda model, takes: None)
    monkeypatch.setattr(export, "WRITERS", {"pt2": lambda program, path, told: path.write_text(json.dumps(told))})
    monkeypatch.setattr(export, "_runner", lambda path, model, takes: lambda clips: model(clips) * (1 + off))


def test_eight_bits_take_the_file_s_place_and_their_change_is_said(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "export_program", lambda model, takes: None)
    monkeypatch.setattr(
        export, "WRITERS", {"onnx": lambda program, path, told: shutil.copy(exported / "model.onnx", path)}
    )
    clips = own_clips(tmp_path / "clips", each=2, frames=4)
    (clips / "red" / "p1_1.mp4").write_bytes(b"broken")
    out = tmp_path / "out" / "eight.onnx"
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    written = run_export(small_model(), out, quantise="static", calibrate=clips)
    assert written.change.clips == 5
    assert written.change.top1 is not None
    assert [path.name for path in out.parent.iterdir()] == ["eight.onnx"]
    said = capsys.readouterr().out
    assert f"8 bits (static): {written.change}" in said
    assert re.search(r"failed: .*p1_1\.mp4", said)
    for words in ("reading clips of clips", "reading ranges", "measuring what 8 bits change"):
        assert f"{words}: 0%" in said, "four hundred clips take minutes"
    assert out.read_bytes() != (exported / "model.onnx").read_bytes()
    written = run_export(small_model(), out, quantise="dynamic")
    assert (written.change.clips, written.change.top1) == (16, None)


def test_a_file_that_differs_does_not_get_its_name(tmp_path, monkeypatch, capsys):
    out = tmp_path / "there" / "model.pt2"
    stub(monkeypatch, off=2e-5)
    with pytest.raises(ModelError, match=r"not written: its logits differ from PyTorch's by 2\.\de-05 of the largest"):
        run_export(small_model(), out)
    assert list(out.parent.iterdir()) == []
    stub(monkeypatch, off=5e-6)
    written = run_export(small_model(), out)
    assert written.path == out
    assert 0 < written.agreement.worst < 1e-5
    assert [path.name for path in out.parent.iterdir()] == ["model.pt2"]
    assert json.loads(out.read_text())["export"]["target"] == "pt2"
    assert "written: " in capsys.readouterr().out


def test_the_model_that_is_given_stays_as_it_is(tmp_path, monkeypatch):
    stub(monkeypatch, off=0.0)
    model = small_model().to(torch.bfloat16).train()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    run_export(model, tmp_path / "model.pt2")
    assert model.training
    for name, each in model.state_dict().items():
        assert each.dtype == torch.bfloat16
        assert torch.equal(each, before[name])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"out": "model.bin"}, r"give the file the ending of its kind: \.onnx \(onnx\), \.pt2"),
        ({"out": "model.pt2", "to": "onnx"}, r"give the file the ending of its kind: \.onnx$"),
        ({"out": "model.pt2", "quantise": "dynamic"}, "8-bit files are written as ONNX, not as pt2"),
        ({"out": "model.onnx", "quantise": "static"}, "name a list or folder, `calibrate`"),
        ({"out": "model.onnx", "calibrate": "clips"}, "say which by `quantise`"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, given, words):
    with pytest.raises(ConfigError, match=words):
        run_export(small_model(), **{**given, "out": tmp_path / given["out"]})
    assert list(tmp_path.iterdir()) == []


def test_videos_that_are_not_there_are_refused_before_anything_is_traced(tmp_path):
    with pytest.raises(DataError, match=r"`clip` .*none\.mp4: no such video"):
        run_export(small_model(), tmp_path / "model.pt2", clip=tmp_path / "none.mp4")
    pytest.importorskip("onnxruntime")
    with pytest.raises(VidtokError, match="nowhere"):
        run_export(small_model(), tmp_path / "model.onnx", quantise="static", calibrate=tmp_path / "nowhere")


def test_an_exported_file_is_not_exported_again(exported, tmp_path):
    with pytest.raises(ModelError, match="an exported file is not exported once more"):
        run_export(exported / "model.onnx", tmp_path / "again.pt2")


def test_the_command_names_its_own_options(tmp_path):
    small_model().save_pretrained(tmp_path / "model")
    done = called("export", tmp_path / "model", "--out", tmp_path / "x.onnx", "--calibrate", tmp_path)
    assert done.returncode == 2
    assert "--calibrate and --measure are for 8-bit files; say which by --quantise" in done.stderr


def test_core_ml_is_refused_with_the_way_to_it(tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.run([str(tmp_path / "model"), "--out", "x.mlpackage", "--to", "coreml"])
    assert "Write a .pt2 with --input normalised" in " ".join(capsys.readouterr().err.split())
