"""ONNX files in 8 bits: the matrix products alone, or every layer with weights, by what real clips make of them."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidtok.errors import ModelError
from vidtok.infer.export import INPUT, quiet


def quantise_dynamic(float_file: Path, path: Path) -> None:
    """Write the file with weights of matrix products in 8 bits; their inputs are rounded at each run.

    Convolutions stay as they are: rounded at each run they take twice the time. Raises ModelError where no matrix
    product has weights.
    """
    quantisation = importlib.import_module("onnxruntime.quantization")
    with quiet():
        quantisation.quantize_dynamic(
            float_file,
            path,
            op_types_to_quantize=["MatMul"],
            weight_type=quantisation.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # without it sums of two products overflow on processors without VNNI
        )
    # Told from what was written: products stand in a float file under several names and forms.
    if not _operators(path) & {"MatMulInteger", "DynamicQuantizeMatMul"}:
        path.unlink()
        raise ModelError(
            "dynamic quantisation rounds the weights of matrix products, and this network's file has none; "
            "take the static form"
        )


def quantise_static(float_file: Path, path: Path, *, clips: Iterable[np.ndarray]) -> None:
    """Write the file in 8 bits wherever ONNX Runtime has an operator for it, a scale for each channel of weights (QDQ).

    Sums and products of tokens too: between layers in 8 bits alone, each step to float32 and back costs what they save.

    `clips`: batches as the file takes them, real ones, from which ranges are read (the smallest and the largest value).
    """
    quantisation = importlib.import_module("onnxruntime.quantization")

    class Reader(quantisation.CalibrationDataReader):
        def __init__(self, batches: Iterator[np.ndarray]):
            self._batches = batches

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    with quiet():
        quantisation.quantize_static(
            float_file,
            path,
            Reader(iter(clips)),
            quant_format=quantisation.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantisation.QuantType.QUInt8,
            weight_type=quantisation.QuantType.QInt8,
            reduce_range=True,  # as above
        )


def _operators(file: Path) -> set[str]:
    onnx = importlib.import_module("onnx")
    return {node.op_type for node in onnx.load(file, load_external_data=False).graph.node}
