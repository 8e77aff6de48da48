"""What it takes to build a network again: its name, its options, and the clips that it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from vidtok.models.network import Network
from vidtok.models.options import typed_options
from vidtok.models.registry import network_class


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network's plan; `options` are plain JSON values, so that it can be saved beside the weights."""

    network: str
    """A name of vidtok.models.NETWORKS."""
    options: Mapping[str, Any]
    """Those that differ from the constructor's defaults, `classes`, `frames` and `size` aside."""
    frames: int
    size: int | tuple[int, int]
    """Rows and columns of a clip, or one number for both."""

    def build(self, *, classes: int) -> Network:
        """The network with new weights. Raises ModelError for options that it does not have, or that cannot work."""
        options = typed_options(self.network, self.options)
        make = cast("Callable[..., Network]", network_class(self.network))
        return make(classes=classes, frames=self.frames, size=self.size, **options)

    def last_layers(self, state: Mapping[str, torch.Tensor], *, classes: int) -> frozenset[str]:
        """The keys of the network's state whose shape follows the number of classes."""
        with torch.device("meta"):
            other = self.build(classes=classes + 1).state_dict()
        return frozenset(key for key, tensor in state.items() if tensor.shape != other[key].shape)
