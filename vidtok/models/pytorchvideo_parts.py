"""What the networks of pytorchvideo share: their import, their blocks, how their last layers start.

The library's own network is `body`: its published checkpoints load into that. pytorchvideo is imported where a network
is built, since the import takes seconds.
"""

import importlib
import warnings
from typing import Any

from torch import nn

from vidtok.models.stages import PerStage

NO_STRIDES: PerStage = (1, 1, 1, 1)


def library(module: str) -> Any:
    """A module of `pytorchvideo.models`, imported without its warning that torch.jit.script, which it uses, is old."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script")
        return importlib.import_module(f"pytorchvideo.models.{module}")


def residual_blocks(body: Any) -> tuple[nn.Module, ...]:
    """The blocks of all stages of a ResNet of pytorchvideo."""
    return tuple(block for part in body.blocks if hasattr(part, "res_blocks") for block in part.res_blocks)


def start_resnet_head(layer: nn.Linear) -> None:
    """Weights N(0, 0.01²) and biases at zero, as pytorchvideo starts last layers."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
