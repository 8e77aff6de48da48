"""The exponential average of the weights, which is what is tested and kept beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vidtok.errors import CheckpointError


class Averages:
    """An exponential average of everything that a model's state holds; whole numbers are copied.

        a ← d a + (1 - d) w       d = min(decay, (1 + n) / (10 + n))  at update n, counted from 1

    The warm-up of the decay is TensorFlow's (`ExponentialMovingAverage` with `num_updates`), so that a short run is not
    held back by its start. Averages live beside the weights, sharded where these are.

    Not timm's ModelEmaV3, whose warm-up is another curve, 1 - (1 + n)^(-2/3), and not torch's AveragedModel, which
    copies the weights at its first update and averages whole numbers like the others: runs would end elsewhere. Both
    keep a copy of the whole network.
    """

    def __init__(self, model: nn.Module, *, decay: float):
        self.decay = decay
        self.state: dict[str, Tensor] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, *, updates: int) -> None:
        """Take in the weights after `updates` updates, counted from 1."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - decay)
            else:
                self.state[name].copy_(tensor)

    def load(self, state: Mapping[str, Tensor], *, source: object) -> None:
        """Go on from the averages of a checkpoint; CheckpointError where these are not of this model."""
        if state.keys() != self.state.keys():
            raise CheckpointError(
                f"{source}: the averaged weights are not those of this model ({len(state)} tensors, not "
                f"{len(self.state)}); was the run started with `ema_decay`?"
            )
        with torch.no_grad():
            for name, tensor in state.items():
                self.state[name].copy_(tensor)

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """The model has the averages as its weights within this context, and its own ones again, bitwise, behind it."""
        own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self._put(self.state, model)
        try:
            yield
        finally:
            self._put(own, model)

    @staticmethod
    @torch.no_grad()
    def _put(state: Mapping[str, Tensor], model: nn.Module) -> None:
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[name])
