"""`vidtok export`: what it hands to run_export, and what it says of Core ML."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.export", "run_export")


def test_what_it_takes():
    assert usage("export") == (
        "export [-h] --out FILE [--to {onnx,pt2,openvino,coreml}] [--input {pixels,normalised}] [--clip VIDEO] "
        "[--quantise {dynamic,static}] [--calibrate LIST|FOLDER] [--measure LIST|FOLDER] [--root ROOT] "
        "[--backend {pyav,torchcodec,decord,frames}] [--allow-plugins] model"
    )
    said = done("export", "--help")
    assert "\n8 bits:\n  ONNX alone" in said
    assert ".onnx, .pt2, .xml (OpenVINO)" in said


def test_a_model_alone(work):
    done("export", "runs/mine", "--out", "mine.onnx")
    assert work.take() == {
        "model": "runs/mine",
        "out": "mine.onnx",
        "to": None,
        "takes": "pixels",
        "quantise": None,
        "calibrate": None,
        "measure": None,
        "clip": None,
        "root": None,
        "backend": "pyav",
        "allow_plugins": False,
    }


def test_all_options(work):
    done(
        "export",
        *("runs/mine", "--out", "mine.onnx", "--to", "onnx", "--input", "normalised", "--clip", "a.mp4"),
        *("--quantise", "static", "--calibrate", "some.csv", "--measure", "others.csv", "--root", "clips"),
        *("--backend", "decord", "--allow-plugins"),
    )
    assert work.take() == {
        "model": "runs/mine",
        "out": "mine.onnx",
        "to": "onnx",
        "takes": "normalised",
        "quantise": "static",
        "calibrate": "some.csv",
        "measure": "others.csv",
        "clip": "a.mp4",
        "root": "clips",
        "backend": "decord",
        "allow_plugins": True,
    }


def test_core_ml_is_told_the_way_there(work):
    said = refused("export", "runs/mine", "--out", "mine.mlpackage", "--to", "coreml")
    assert said.startswith("--to coreml: Core ML files are not written")
    assert "--input normalised" in said
    assert "docs/export.md" in said
    assert work.calls == []


def test_errors_name_options(work):
    assert refused("export", "runs/mine") == "the following arguments are required: --out"
    assert told_as(work, "calibrate", "export", "runs/mine", "--out", "mine.onnx") == "--calibrate"
