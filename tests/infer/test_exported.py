"""An exported file is a model as far as its logits go, and says so of the rest."""

import importlib.util
import shutil

import pytest
import torch

import vidtok
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.infer import export
from vidtok.infer.export import describe_export, pixel_clips, write_openvino
from vidtok.infer.exported import is_exported, load_exported
from vidtok.infer.features import weights_digest
from vidtok.loading import is_on_hub, is_saved


@pytest.fixture(scope="module")
def both(exported):
    return vidtok.load(exported / "model"), vidtok.load(exported / "model.onnx")


def test_its_logits_are_the_model_s_for_any_number_of_clips(both):
    model, file = both
    for count in (0, 1, 2, 5):
        clips = pixel_clips(model, count, seed=3)
        with torch.inference_mode():
            wanted, given = model(clips), file(clips)
        assert given.shape == (count, 3)
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(wanted[0], wanted[1], atol=1e-3)


def test_it_knows_all_that_a_saved_model_knows(both):
    model, file = both
    assert file.describe() == model.describe()
    assert (file.classes, file.feeding, file.normalisation) == (model.classes, model.feeding, model.normalisation)
    assert not file.training
    assert file.for_inference() is file
    assert file.network.for_inference(fused=True) is file.network


def test_what_it_cannot_take_or_do_is_refused_in_words(both, tmp_path):
    _, file = both
    clips = pixel_clips(file, 2)
    with pytest.raises(ModelError, match=r"pixels as uint8.*got torch\.float32"):
        file(clips.float())
    with pytest.raises(ModelError, match=r"normalises pixels by itself.*got torch\.float32"):
        file.network(file.normalise(clips))
    with pytest.raises(ModelError, match=r"clips of b 4 3 16 24.*got 2 3 3 16 24"):
        file(clips[:, :3])
    for ask in (file.network.features, file.network.attention):
        with pytest.raises(ModelError, match="gives logits and nothing else"):
            ask(clips)
    with pytest.raises(ModelError, match="cannot be saved as a model"):
        file.save_pretrained(tmp_path / "again")
    with pytest.raises(ModelError, match="keeps its classes"):
        file.network.reset_classifier(2)


def test_two_files_are_told_apart_where_weights_are_compared(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    other = onnx.load(exported / "model.onnx")
    other.doc_string = "another"
    onnx.save(other, tmp_path / "other.onnx")
    paths = (exported / "model.onnx", tmp_path / "other.onnx", exported / "model.onnx")
    first, second, third = (weights_digest(vidtok.load(path)) for path in paths)
    assert first == third != second


def test_other_classes_than_its_own_are_refused(exported):
    assert vidtok.load(exported / "model.onnx", classes=3).classes == ("blue", "green", "red")
    with pytest.raises(ModelError, match="keeps its classes"):
        vidtok.load(exported / "model.onnx", classes=["a", "b"])


def test_files_that_are_not_ours_or_not_run_here_are_refused(exported, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    bare = onnx.load(exported / "model.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(CheckpointError, match=r"bare\.onnx: does not say how it takes clips"):
        load_exported(tmp_path / "bare.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no such thing")
    with pytest.raises(CheckpointError, match=r"broken\.onnx: ONNX Runtime cannot open it"):
        vidtok.load(tmp_path / "broken.onnx")
    with pytest.raises(CheckpointError, match=r"normalised\.pt2: not run by vidtok: torch\.export\.load reads it"):
        vidtok.load(exported / "normalised.pt2")
    shutil.copy(exported / "model.onnx", tmp_path / "model.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"onnxruntime runs these files.*pip install 'vidtok\[export\]'"):
        load_exported(tmp_path / "model.onnx")


def test_a_file_is_told_by_its_ending_where_there_is_one(exported, tmp_path):
    assert is_exported(exported / "model.onnx")
    assert is_exported(exported / "normalised.pt2")
    assert is_saved(exported / "model.onnx")
    assert not is_exported(tmp_path / "none.onnx")
    assert not is_on_hub("runs/none.onnx")
    assert not is_exported(exported / "model")
    model = vidtok.load(exported / "model.onnx")
    assert model.for_inference() is model


def test_openvino_runs_the_same_file(exported, both, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(export, "write_onnx", lambda program, path, told: shutil.copy(exported / "model.onnx", path))
    model, _ = both
    told = describe_export(model, target="openvino", takes="pixels")
    write_openvino(object.__new__(torch.export.ExportedProgram), tmp_path / "model.xml", told=told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    file = vidtok.load(tmp_path / "model.xml")
    assert file.describe() == model.describe()
    for count in (0, 1, 2, 5):
        clips = pixel_clips(model, count, seed=3)
        with torch.inference_mode():
            torch.testing.assert_close(file(clips), model(clips), rtol=1e-4, atol=1e-5)
