"""Operators in the files that are written: the same numbers, in the forms that runtimes know."""

import math
from collections import Counter

import pytest
import torch
from torch import nn

from vidtok.infer.export_operators import known_forms

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def written(module, x, path, *, free=(0,)):
    """What is written of a module, and what ONNX Runtime makes of it: operators and outputs at two batches."""
    axes = dict.fromkeys(free, torch.export.Dim.DYNAMIC)
    program = torch.export.export(module.eval(), (x,), dynamic_shapes=(axes,))
    made = torch.onnx.export(
        program, dynamo=True, opset_version=18, custom_translation_table=dict(known_forms()), verbose=False
    )
    assert made is not None
    made.save(path)
    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimised.onnx"))
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for batch in (x, x.repeat(3, *[1] * (x.ndim - 1)) + 0.5):
        (got,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(got), module(batch), rtol=1e-5, atol=1e-6)
    return operators(path), operators(path.with_suffix(".optimised.onnx"))


def operators(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_gelu_is_one_operator_for_the_runtime(tmp_path):
    x = torch.linspace(-6, 6, 240).reshape(2, 3, 40)
    _, optimised = written(nn.GELU(), x, tmp_path / "gelu.onnx")
    assert optimised["Gelu"] == 1
    assert not optimised.keys() & {"Erf", "Div"}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2, 6), (2, 5, 6), (2, 3, 2, 4, 6)], ids=len)
def test_a_linear_layer_is_one_product_of_rows_with_its_bias_inside(bias, shape, tmp_path):
    torch.manual_seed(0)
    x = torch.randn(shape)
    found, _ = written(nn.Linear(6, 5, bias=bias), x, tmp_path / "linear.onnx")
    assert found == Counter(Gemm=1) + Counter(Reshape=0 if len(shape) == 2 else 2)
    (product,) = [node for node in onnx.load(tmp_path / "linear.onnx").graph.node if node.op_type == "Gemm"]
    assert len(product.input) == 2 + bias


@pytest.mark.parametrize("bias", [True, False])
def test_where_another_axis_is_open_too(bias, tmp_path):
    torch.manual_seed(0)
    found, _ = written(nn.Linear(6, 5, bias=bias), torch.randn(2, 4, 6), tmp_path / "open.onnx", free=(0, 1))
    assert (found["MatMul"], found["Gemm"], found["Add"]) == (1, 0, int(bias))


def test_tanh_s_form_is_that_of_the_paper(tmp_path):
    """Hendrycks and Gimpel, arXiv 1606.08415: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), by hand at one place."""
    value = 0.5 * 1.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (1.5 + 0.044715 * 1.5**3)))
    assert float(nn.GELU("tanh")(torch.tensor(1.5))) == pytest.approx(value, abs=1e-6)
    written(nn.GELU("tanh"), torch.full((2, 2), 1.5), tmp_path / "gelu.onnx")
