"""A network behind its normalisation: uint8 pixels in, logits out."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vidtok.errors import ModelError


class Classifier(nn.Module):
    """Normalises uint8 clips, (pixel / 255 - mean) / std for each colour, and calls the network.

    `mean` and `std` are in 0..1, red, green, blue; they are buffers that are not saved with the weights. `classes` are
    the names of the logits, in their order. Raises ModelError where `mean` and `std` do not fit each other.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, *, mean: Sequence[float], std: Sequence[float], classes: Sequence[str]):
        super().__init__()
        if len(mean) != len(std) or min(std) <= 0:
            raise ModelError(f"mean and std need one value for each colour, std above 0; got {mean} and {std}")
        self.network = network
        self.classes = tuple(classes)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, x: UInt8[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.network((x.to(self.mean.dtype) / 255 - self.mean) / self.std)
