"""From tokens to logits: the class token, pooling with its norm, and the linear head."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import NormPosition, PoolKind
from vidtok.errors import ModelError
from vidtok.nn.initial import lecun_normal_


def check_classes(classes: int) -> None:
    """Raise ModelError for less than one class."""
    if classes < 1:
        raise ModelError(f"a network needs at least 1 class, got {classes}")


def new_linear(old: nn.Linear, classes: int, *, start: Callable[[nn.Linear], None]) -> nn.Linear:
    """A last layer for this many classes, on the device and in the precision of the old one; `start` gives its weights.

    Raises ModelError for less than one class.
    """
    check_classes(classes)
    where = {"device": old.weight.device, "dtype": old.weight.dtype}
    new = nn.Linear(old.in_features, classes, **where).train(old.training)
    start(new)
    return new


class ClassToken(nn.Module):
    """Puts a learned token before the flattened grid: `b t h w d` becomes `b n d` with n = 1 + t·h·w.

    The token starts at zero. With `position` a learned vector, N(0, 0.02²) at the start, is added to it; the sum is all
    that the network sees, but published weights hold the two apart.
    """

    def __init__(self, width: int, *, position: bool):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(torch.empty(width).normal_(std=0.02)) if position else None

    def no_weight_decay(self) -> set[str]:
        """Both vectors."""
        return {"token"} if self.position is None else {"token", "position"}

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b n d"]:
        token = self.token if self.position is None else self.token + self.position
        return torch.cat([token.expand(x.shape[0], 1, -1).to(x.dtype), x.flatten(1, -2)], dim=1)


class Pool(nn.Module):
    """One vector for each clip, and the network's last LayerNorm.

    `kind`: the mean or the maximum over all tokens, or the class token, which stands first. `norm_position`: every
    token is normalised before pooling (ViT, ViViT) or the pooled vector after it (VideoMAE).
    """

    def __init__(
        self, width: int, *, kind: PoolKind, norm_position: NormPosition = "before_pool", norm_eps: float = 1e-6
    ):
        super().__init__()
        self.kind: PoolKind = kind
        self.norm_position: NormPosition = norm_position
        self.norm = nn.LayerNorm(width, eps=norm_eps)

    def tokens(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        """The tokens that are put together, normalised where the norm stands before the pooling."""
        return self.norm(x) if self.norm_position == "before_pool" else x

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b d"]:
        x = self._pooled(self.tokens(x.flatten(1, -2)))
        return self.norm(x) if self.norm_position == "after_pool" else x

    def _pooled(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        if self.kind == "cls":
            return x[:, 0]
        return x.mean(dim=1) if self.kind == "mean" else x.amax(dim=1)


class Head(nn.Module):
    """Logits from the pooled vector; with `hidden`, through a linear layer of that width and tanh first ("pre-logits").

    The last layer starts at zero, so a new network gives every class the same score.
    """

    def __init__(self, width: int, *, classes: int, hidden: int | None = None):
        super().__init__()
        self.pre_logits = None if hidden is None else nn.Linear(width, hidden)
        if self.pre_logits is not None:
            lecun_normal_(self.pre_logits.weight)
            nn.init.zeros_(self.pre_logits.bias)
        self.logits = nn.Linear(width if hidden is None else hidden, classes)
        _start_at_zero(self.logits)

    def reset(self, classes: int) -> None:
        """A new last layer for this many classes."""
        self.logits = new_linear(self.logits, classes, start=_start_at_zero)

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b k"]:
        return self.logits(x if self.pre_logits is None else torch.tanh(self.pre_logits(x)))


def _start_at_zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
