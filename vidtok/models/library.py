"""Networks that another library builds, behind vidtok's contract."""

from abc import ABC, abstractmethod
from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.models.network import Network


class LibraryNetwork(Network, ABC):
    """A network of another library, `body`, which takes clips as `b c f y x`; published weights load into that."""

    body: Any

    @property
    @abstractmethod
    def before_pooling(self) -> nn.Module:
        """The part of the body whose output is pooled."""

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        """Channels last; transformer blocks that hand on the grid give it beside their tokens."""
        tokens = output[0] if isinstance(output, tuple) else output
        return rearrange(tokens, "b d t h w -> b t h w d") if tokens.dim() == 5 else tokens

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.body(rearrange(x, "b f c y x -> b c f y x"))

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        found: list[Any] = []

        def keep(_module: nn.Module, _inputs: object, output: Any) -> None:
            found.append(list(output) if isinstance(output, list) else output)  # the pooling changes a list's entries

        hook = self.before_pooling.register_forward_hook(keep)
        try:
            self.logits(x)
        finally:
            hook.remove()
        return self.arranged(found[0], depth=len(self.blocks), clips=x.shape[0])
