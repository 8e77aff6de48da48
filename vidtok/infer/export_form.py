"""A network as it is exported: the same numbers by simpler operators, behind its normalisation or without it."""

import copy
from typing import Any

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vidtok.choices import ExportInput
from vidtok.infer.export_layers import LinearTubelet, PlainMultiAxis, PlainSuperToken
from vidtok.models.classifier import Classifier
from vidtok.models.network import Network
from vidtok.nn.mixers.multi_axis import MultiAxis
from vidtok.nn.mixers.super_token import SuperToken
from vidtok.nn.tubelet import Tubelet

WHITE = 255
"""The highest value of a pixel."""


def export_form(network: Network) -> Network:
    """A copy in float32 in the form that is exported: that for inference, with layers written for other runtimes.

    Its numbers are the network's to rounding.
    """
    plain = copy.deepcopy(network).float().for_inference(fused=False)
    for path, module in [*plain.named_modules()]:
        if isinstance(module, Tubelet):
            _replace(plain, path, LinearTubelet(module))
        elif type(module) is MultiAxis:
            module.__class__ = PlainMultiAxis
        elif type(module) is SuperToken:
            module.__class__ = PlainSuperToken
    return plain


def _replace(network: nn.Module, path: str, by: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, by)


class Exported(nn.Module):
    """What is exported of a model: clips in, logits out. Shapes and types are not checked inside of a file."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Classifier, *, takes: ExportInput):
        super().__init__()
        self.takes = takes
        self.network: Any = export_form(model.network)
        self.register_buffer("mean", model.mean.detach().clone().float(), persistent=takes == "pixels")
        self.register_buffer("std", model.std.detach().clone().float(), persistent=takes == "pixels")
        self.eval()

    def forward(self, clips: Shaped[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        if self.takes == "pixels":
            clips = (clips.float() / WHITE - self.mean) / self.std
        return self.network.logits(clips)
