"""A model as a file for other runtimes: ONNX, torch.export, OpenVINO; its labels and clip rule inside."""

import importlib
import importlib.metadata
import importlib.util
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vidtok.choices import ExportInput, ExportTarget
from vidtok.errors import ConfigError, ModelError
from vidtok.infer.export_form import Exported
from vidtok.infer.export_operators import known_forms
from vidtok.models.classifier import METADATA, Classifier

OPSET = 18
"""What torch's exporter writes without converting, and every runtime of the last years reads. From 23 on attention is
one operator, which not every runtime has a kernel for; before, it is written as two products and a softmax."""
INPUT, OUTPUT, BATCH = "clips", "logits", "batch"
BATCHES = (1, 2, 5)
"""An exporter that has taken the example's batch for a number is found out by others."""
TOLERANCE = 1e-5
"""Largest difference of a logit, as a share of the largest logit."""
ENDINGS: Mapping[ExportTarget, str] = {"onnx": ".onnx", "pt2": ".pt2", "openvino": ".xml"}
NEEDS: Mapping[ExportTarget, tuple[tuple[str, ...], str]] = {
    "onnx": (("onnx", "onnxscript", "onnxruntime"), "'vidtok[export]'"),
    "pt2": ((), ""),
    "openvino": (("onnx", "onnxscript", "openvino"), "'vidtok[openvino]'"),
}


def check_installed(target: ExportTarget) -> None:
    """Raise ConfigError, which says what to install, where the packages for this kind of file are missing."""
    needed, name = NEEDS[target]
    if missing := [each for each in needed if importlib.util.find_spec(each) is None]:
        raise ConfigError(f"{target} files need {' and '.join(missing)}: pip install {name}")


def export_program(model: Classifier, *, takes: ExportInput = "pixels") -> torch.export.ExportedProgram:
    """The model as torch.export traces it, with a free batch.

    Raises ModelError where torch cannot trace the network, or does so for the batch of the example alone.
    """
    network, name = model.network, type(model.network).__name__
    frames, rows, columns = network.clip
    # Of a batch of 1 torch would make a constant.
    example = torch.zeros(2, frames, len(model.mean), rows, columns)
    form = Exported(model, takes=takes)
    clips = example.to(torch.uint8) if takes == "pixels" else example
    try:
        with quiet():
            program = torch.export.export(form, (clips,), dynamic_shapes=({0: torch.export.Dim(BATCH)},))
    except Exception as error:  # whatever torch's tracer and the network raise
        raise ModelError(f"{name} cannot be exported: torch.export does not trace it: {_first_line(error)}") from error
    for what, node in (("takes", _placeholder(program)), ("gives", _result(program))):
        count = node.meta["val"].shape[0]
        if not isinstance(count, torch.SymInt):
            raise ModelError(
                f"{name} cannot be exported with a free batch: its program {what} exactly {count}, the batch of the "
                "example. Somewhere in its forward pass the batch becomes a number, as by len(tensor)"
            )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of source by their paths on this machine
    return program


def describe_export(model: Classifier, *, target: ExportTarget, takes: ExportInput) -> dict[str, Any]:
    """What stands in the file under the key "vidtok": a model's config.json, and `export` on the file itself."""
    if model.feeding is None:
        raise ModelError(
            "how clips are taken from videos is not known of this model, and an exported file says it: make it with "
            "create_model(…, feeding=Feeding(stride=…, short_side=…)), or load it from a run"
        )
    return {
        **model.describe(),
        "export": {
            "target": target,
            "input": takes,
            "axes": "b f c y x",
            "vidtok": importlib.metadata.version("vidtok"),
            "torch": torch.__version__,
        },
    }


def write_onnx(program: torch.export.ExportedProgram, path: Path, *, told: Mapping[str, Any]) -> None:
    """Write the program as ONNX; beyond 2 GB its weights stand beside it, in FILE.data.

    Raises ModelError for operators that ONNX does not have, and where the batch is not free in the file.
    """
    try:
        with quiet():
            made = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                custom_translation_table=dict(known_forms()),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    except Exception as error:  # torch.onnx has errors of many classes
        raise ModelError(f"torch.onnx cannot write this network: {_first_line(error)}") from error
    assert made is not None
    graph: Any = made.model.graph
    made.rename_axes({axis: BATCH for axis in graph.inputs[0].shape if not isinstance(axis, int)})
    for each in (*graph.inputs, *graph.outputs):
        if isinstance(each.shape[0], int):
            raise ModelError(f"the ONNX file's {each.name} are of a batch of {each.shape[0]}, and of no other")
    for node in graph.all_nodes():
        node.metadata_props.clear()  # lines of source by their paths on this machine
    made.model.metadata_props[METADATA] = json.dumps(told)
    made.save(path)


def write_pt2(program: torch.export.ExportedProgram, path: Path, *, told: Mapping[str, Any]) -> None:
    """Write the program as torch.export does; `torch.export.load(path, extra_files={"vidtok": ""})` reads it."""
    with quiet():
        torch.export.save(program, path, extra_files={METADATA: json.dumps(told)})


def write_openvino(program: torch.export.ExportedProgram, path: Path, *, told: Mapping[str, Any]) -> None:
    """Write OpenVINO's FILE.xml and FILE.bin, in float32, by way of ONNX."""
    openvino = importlib.import_module("openvino")
    onnx = path.with_suffix(".onnx")
    write_onnx(program, onnx, told=told)
    try:
        made = openvino.convert_model(onnx)
        made.set_rt_info(json.dumps(told), [METADATA])
        openvino.save_model(made, path, compress_to_fp16=False)
    except Exception as error:  # of OpenVINO, in classes of its own
        raise ModelError(f"OpenVINO cannot read this network's ONNX file: {_first_line(error)}") from error
    finally:
        for file in onnx.parent.glob(f"{onnx.name}*"):
            file.unlink()


WRITERS: Mapping[ExportTarget, Callable[..., None]] = {
    "onnx": write_onnx,
    "pt2": write_pt2,
    "openvino": write_openvino,
}


def pixel_clips(model: Classifier, count: int, *, seed: int = 0) -> UInt8[Tensor, "b f c y x"]:
    """Clips of noise, each with a brightness and contrast of its own, so that logits differ."""
    frames, rows, columns = model.network.clip
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, frames, len(model.mean), rows, columns, generator=generator)
    light, spread = torch.rand(2, count, 1, 1, 1, 1, generator=generator)
    return ((light + (noise - 0.5) * spread).clamp(0, 1) * 255).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a file's logits are from the model's, as a share of the largest logit, for each batch that was tried."""

    differences: Mapping[int, float]

    @property
    def worst(self) -> float:
        return max(self.differences.values())

    def __str__(self) -> str:
        return ", ".join(f"batch {count}: {each:.1e}" for count, each in self.differences.items())


def compare(
    model: Classifier,
    run: Callable[[UInt8[Tensor, "b f c y x"]], Float[Tensor, "b k"]],
    *,
    batches: Sequence[int] = BATCHES,
    clip: UInt8[Tensor, "b f c y x"] | None = None,
) -> Agreement:
    """How far `run`, which takes pixels as the model does, is from the model's own float32 forward pass.

    `clip`: a real clip that stands first in every batch. Raises ModelError for a model whose logits are all zero, of
    which nothing can be said, and for a file that gives another number of logits.
    """
    found = {}
    for count in batches:
        clips = pixel_clips(model, count, seed=count)
        if clip is not None:
            clips = torch.cat([clip[:1], clips[1:]])
        with torch.no_grad():
            wanted, given = model(clips), run(clips)
        if not wanted.any():
            raise ModelError(
                "this model's logits are all zero, as those of a last layer that was never trained: there is nothing "
                "to check an exported file by"
            )
        if given.shape != wanted.shape:
            raise ModelError(
                f"the file gives logits of shape {tuple(given.shape)} for {count} clips, not {tuple(wanted.shape)}"
            )
        found[count] = float((given - wanted).abs().max() / wanted.abs().max())
    return Agreement(differences=found)


@contextmanager
def quiet() -> Iterator[None]:
    """torch's exporter warns of its own insides, which is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _placeholder(program: torch.export.ExportedProgram) -> torch.fx.Node:
    (name,) = program.graph_signature.user_inputs
    return next(node for node in program.graph.nodes if node.name == name)


def _result(program: torch.export.ExportedProgram) -> torch.fx.Node:
    (name,) = program.graph_signature.user_outputs
    return next(node for node in program.graph.nodes if node.name == name)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
