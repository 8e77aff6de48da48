"""8-bit files round what they say, and leave the rest."""

import numpy as np
import pytest

import vidtok
from tests.infer.exports import small_model
from vidtok.errors import ModelError
from vidtok.infer.export import pixel_clips
from vidtok.infer.export_clips import Clips, as_taken, change
from vidtok.infer.export_quantise import quantise_dynamic, quantise_static


def operators(file):
    onnx = pytest.importorskip("onnx")
    return [node.op_type for node in onnx.load(file).graph.node]


def test_dynamic_rounds_matrix_products(exported, tmp_path):
    quantise_dynamic(exported / "model.onnx", tmp_path / "dynamic.onnx")
    found = operators(tmp_path / "dynamic.onnx")
    assert "MatMulInteger" in found
    assert "ConvInteger" not in found
    model, eight = small_model(), vidtok.load(tmp_path / "dynamic.onnx")
    clips = Clips(pixels=pixel_clips(model, 8), labels=None, failures=())
    assert 0 < change(model, eight, clips).logits < 0.1


def test_a_network_without_matrix_products_is_not_rounded_at_each_run(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    one = helper.make_tensor_value_info("clips", onnx.TensorProto.FLOAT, ["batch", 4])
    two = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph([helper.make_node("Relu", ["clips"], ["logits"])], "none", [one], [two])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="has none; take the static form"):
        quantise_dynamic(tmp_path / "none.onnx", tmp_path / "eight.onnx")
    assert not (tmp_path / "eight.onnx").exists()


@pytest.mark.parametrize("kind", ["MatMul", "Gemm"])
def test_a_head_alone_is_a_matrix_product_under_either_name(kind, tmp_path):
    """A convolutional network has no other, and exporters write it as one operator with its bias."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, np.random.default_rng(0)
    one = helper.make_tensor_value_info("clips", onnx.TensorProto.FLOAT, ["batch", 8])
    two = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 4])
    weight = onnx.numpy_helper.from_array(numbers.normal(size=(8, 4)).astype(np.float32), "weight")
    bias = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "bias")
    names = ["clips", "weight", "bias"] if kind == "Gemm" else ["clips", "weight"]
    graph = helper.make_graph([helper.make_node(kind, names, ["logits"])], "head", [one], [two], [weight, bias])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "head.onnx")
    quantise_dynamic(tmp_path / "head.onnx", tmp_path / "eight.onnx")
    assert "MatMulInteger" in operators(tmp_path / "eight.onnx")


def test_static_rounds_by_clips_a_scale_for_each_channel(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = small_model()
    clips = Clips(pixels=pixel_clips(model, 8), labels=None, failures=())
    quantise_static(
        exported / "model.onnx", tmp_path / "static.onnx", clips=as_taken(model, clips.pixels, normalised=False)
    )
    found = operators(tmp_path / "static.onnx")
    assert "QuantizeLinear" in found
    assert "DequantizeLinear" in found
    file = onnx.load(tmp_path / "static.onnx")
    scales = [
        each for each in file.graph.initializer if each.name.endswith("_scale") and each.dims and each.dims[0] > 1
    ]
    assert scales
    assert "vidtok" in {each.key for each in file.metadata_props}
    assert 0 < change(model, vidtok.load(tmp_path / "static.onnx"), clips).logits < 0.2
