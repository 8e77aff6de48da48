"""Files that `vidtok export` wrote, run without PyTorch's forward pass: a model like any other, as far as logits go."""

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from vidtok.choices import ExportInput
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.infer.export import INPUT
from vidtok.infer.predict import VideoClassifier
from vidtok.models.classifier import METADATA, Described, described
from vidtok.models.network import Network

Arrays = Callable[[np.ndarray], np.ndarray]
"""Clips in, logits out."""
RUNTIMES: Mapping[str, tuple[str, str]] = {
    ".onnx": ("onnxruntime", "'vidtok[export]'"),
    ".xml": ("openvino", "'vidtok[openvino]'"),
}
"""What runs a file of this ending, and how to get it."""
ELSEWHERE: Mapping[str, str] = {
    ".pt2": "torch.export.load reads it, in a program of yours: it can hold pickles, whose code would run here",
}
NO_INSIDES = (
    "an exported file gives logits and nothing else; for features and for where it looks, take the model that it was "
    "made of"
)


class ExportedNetwork(Network):
    """A file's clips in and logits out, behind the contract; what is inside it cannot be seen.

    `digest`, of the file, stands where other networks have weights, for whoever asks whether two models are the same.
    """

    digest: Tensor

    def __init__(
        self, run: Arrays, *, frames: int, size: int | tuple[int, int], takes: ExportInput, digest: UInt8[Tensor, "n"]
    ):
        super().__init__(frames=frames, size=size)
        self.run, self.takes = run, takes
        self.register_buffer("digest", digest)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return ()

    def beside_blocks(self) -> tuple[()]:
        return ()

    def tokens(self, x: Shaped[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        raise ModelError(NO_INSIDES)

    def logits(self, x: Shaped[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return torch.from_numpy(self.run(x.detach().cpu().numpy())).to(x.device)

    def for_inference(self, *, fused: bool | None = None) -> Network:
        """Itself: it was exported in that form."""
        return self

    def reset_classifier(self, classes: int) -> None:
        raise ModelError("an exported file keeps its classes; take the model that it was made of")

    def check_clip(self, x: Shaped[Tensor, "..."]) -> None:
        if self.takes == "pixels":
            if x.dtype != torch.uint8:
                raise ModelError(f"this file normalises pixels by itself, and takes them as uint8; got {x.dtype}")
            x = torch.empty(x.shape, device="meta")
        super().check_clip(x)


class ExportedClassifier(VideoClassifier):
    """A model whose forward pass another runtime does; `vidtok.load("model.onnx")` gives it."""

    def __init__(self, run: Arrays, given: Described, *, takes: ExportInput, digest: UInt8[Tensor, "n"]):
        plan = given["architecture"]
        network = ExportedNetwork(run, frames=plan.frames, size=plan.size, takes=takes, digest=digest)
        super().__init__(network, **given)
        self.takes = takes

    def forward(self, x: Shaped[Tensor, "..."]) -> Float[Tensor, "b k"]:
        # Others than uint8 are refused in words.
        return self.network(x) if self.takes == "pixels" and x.dtype == torch.uint8 else super().forward(x)

    def for_inference(self, *, fused: bool | None = None) -> "ExportedClassifier":
        """Itself: it was exported in that form."""
        return self

    def write_weights(self, path: Path) -> None:
        raise ModelError("an exported file cannot be saved as a model; take the model that it was made of")

    def _save_pretrained(self, save_directory: Path) -> None:
        self.write_weights(save_directory)  # before anything else is written


def is_exported(source: str | Path) -> bool:
    """Whether this is a file, or folder, of an ending that `vidtok export` writes."""
    path = Path(source)
    return path.suffix in (*RUNTIMES, *ELSEWHERE) and path.exists()


def load_exported(path: str | Path) -> ExportedClassifier:
    """A file of `vidtok export` as a model, run by ONNX Runtime or OpenVINO with as many threads as torch has.

    Raises ConfigError where that is not installed, and CheckpointError for other files of the same endings.
    """
    path = Path(path)
    if path.suffix in ELSEWHERE:
        raise CheckpointError(f"{path}: not run by vidtok: {ELSEWHERE[path.suffix]}")
    needed, name = RUNTIMES[path.suffix]
    if importlib.util.find_spec(needed) is None:
        raise ConfigError(f"{path}: {needed} runs these files, and is not installed: pip install {name}")
    told, run = (_open_onnx if path.suffix == ".onnx" else _open_openvino)(path)
    try:
        description: Mapping[str, Any] = json.loads(told)
        takes: ExportInput = description["export"]["input"]
        if takes not in get_args(ExportInput):
            raise ValueError(f"input: {takes!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: does not say how it takes clips and what its classes are; `vidtok export` writes files that do"
        ) from error
    return ExportedClassifier(run, described(description, source=path), takes=takes, digest=_digest(path))


def _digest(path: Path) -> UInt8[Tensor, "n"]:
    found = hashlib.blake2b(digest_size=16)
    for file in (path, path.with_name(f"{path.name}.data"), path.with_suffix(".bin")):
        if file.is_file():
            with open(file, "rb") as opened:
                found.update(hashlib.file_digest(opened, "blake2b").digest())
    return torch.tensor([*found.digest()], dtype=torch.uint8)


def _open_onnx(path: Path) -> tuple[str, Arrays]:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    has = runtime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in has]
    try:
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime has classes of errors of its own, without a common one
        raise CheckpointError(f"{path}: ONNX Runtime cannot open it: {str(error).splitlines()[0]}") from error

    def run(clips: np.ndarray) -> np.ndarray:
        return session.run(None, {INPUT: clips})[0]

    return session.get_modelmeta().custom_metadata_map.get(METADATA, ""), run


def _open_openvino(path: Path) -> tuple[str, Arrays]:
    openvino = importlib.import_module("openvino")
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    try:
        model = core.read_model(path)
        made = core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: OpenVINO cannot open it: {str(error).splitlines()[0]}") from error
    told = str(model.get_rt_info(METADATA).value) if model.has_rt_info(METADATA) else ""

    def run(clips: np.ndarray) -> np.ndarray:
        return next(iter(made([clips]).values())).copy()

    return told, run
