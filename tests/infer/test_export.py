"""What is exported, what stands in the file, and what is refused."""

import importlib.util
import json

import pytest
import torch

from tests.conftest import ROOT
from tests.infer.exports import small_model
from vidtok.errors import ConfigError, ModelError
from vidtok.infer.export import check_installed, compare, describe_export, pixel_clips
from vidtok.models.classifier import Classifier


@pytest.fixture(scope="module")
def said(exported):
    return json.loads((exported / "said.json").read_text())


def test_a_file_takes_a_free_batch_and_says_what_it_is(exported):
    onnx = pytest.importorskip("onnx")
    file = onnx.load(exported / "model.onnx")
    (clips,), (logits,) = file.graph.input, file.graph.output
    shape = [each.dim_param or each.dim_value for each in clips.type.tensor_type.shape.dim]
    assert shape == ["batch", 4, 3, 16, 24]
    assert clips.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [each.dim_param or each.dim_value for each in logits.type.tensor_type.shape.dim] == ["batch", 3]
    ((key, text),) = ((each.key, each.value) for each in file.metadata_props)
    told = json.loads(text)
    assert key == "vidtok"
    assert told["class_names"] == ["blue", "green", "red"]
    assert (told["clip"]["fit"], told["clip"]["scores"]) == ("squeeze", "softmax")
    assert (told["export"]["target"], told["export"]["input"]) == ("onnx", "pixels")
    assert not [node.op_type for node in file.graph.node if node.op_type == "Conv"]  # tubelets are a product
    for name in ("model.onnx", "normalised.pt2"):
        assert str(ROOT).encode() not in (exported / name).read_bytes()


def test_a_program_of_torch_export_says_the_same(exported):
    more = {"vidtok": ""}
    program = torch.export.load(exported / "normalised.pt2", extra_files=more)
    told = json.loads(more["vidtok"])
    assert (told["export"]["target"], told["export"]["input"]) == ("pt2", "normalised")
    model = small_model()
    for count in (1, 5):
        clips = pixel_clips(model, count)
        with torch.no_grad():
            given = program.module()(model.normalise(clips))
            torch.testing.assert_close(given, model(clips), rtol=1e-4, atol=1e-5)


def test_networks_that_torch_does_not_trace_are_refused_in_words(said):
    assert said["fixed"].startswith("refused: FixedBatch cannot be exported")
    assert said["untraceable"].startswith("refused: Untraceable cannot be exported: torch.export does not trace it: ")


@pytest.mark.parametrize(("target", "name"), [("onnx", "vidtok[export]"), ("openvino", "vidtok[openvino]")])
def test_missing_packages_are_named(monkeypatch, target, name):
    check_installed("pt2")
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None if package == "onnxscript" else object())
    with pytest.raises(ConfigError) as told:
        check_installed(target)
    assert str(told.value) == f"{target} files need onnxscript: pip install '{name}'"


def test_agreement_is_the_largest_difference_as_a_share_of_the_largest_logit():
    model = small_model()
    with torch.no_grad():
        largest = {count: float(model(pixel_clips(model, count, seed=count)).abs().max()) for count in (1, 2, 5)}

    def run(clips):
        logits = model(clips)
        logits[-1, 1] += 0.25
        return logits

    with torch.no_grad():
        found = compare(model, run)
    assert set(found.differences) == {1, 2, 5}
    for count, each in found.differences.items():
        assert each == pytest.approx(0.25 / largest[count], rel=1e-3)
    assert found.worst == max(found.differences.values())
    assert compare(model, model).worst == 0


def test_a_real_clip_stands_first_in_every_batch():
    model, seen = small_model(), []
    clip = torch.full((1, 4, 3, 16, 24), 7, dtype=torch.uint8)

    def run(clips):
        seen.append(clips)
        return model(clips)

    compare(model, run, clip=clip)
    assert [len(each) for each in seen] == [1, 2, 5]
    assert all(torch.equal(each[0], clip[0]) for each in seen)
    assert not torch.equal(seen[1][1], clip[0])


def test_what_cannot_be_checked_is_refused():
    model = small_model()
    with pytest.raises(ModelError, match=r"logits of shape \(1, 2\) for 1 clips, not \(1, 3\)"):
        compare(model, lambda clips: model(clips)[:, :2])
    with torch.no_grad():
        model.network.head.logits.weight.zero_()
        model.network.head.logits.bias.zero_()
    with pytest.raises(ModelError, match="logits are all zero"):
        compare(model, model)


def test_a_model_that_does_not_know_its_clips_is_refused():
    model = small_model()
    told = describe_export(model, target="onnx", takes="pixels")
    assert told["model"]["frames"] == 4
    bare = Classifier(
        model.network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=model.classes, architecture=model.architecture
    )
    with pytest.raises(ModelError, match="how clips are taken from videos is not known"):
        describe_export(bare, target="onnx", takes="pixels")
