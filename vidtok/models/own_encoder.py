"""A network of vidtok's own as a frozen encoder, with a linear layer on what its maps say of a clip."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import Summary
from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.network import COLOURS, Network, meta_copy
from vidtok.models.registry import register
from vidtok.models.summary_network import SummaryNetwork
from vidtok.types import AttentionMap


@register("own")
class OwnEncoder(SummaryNetwork):
    """Any network of the registry, its pooled tokens in the place of the last maps, and a linear layer.

    `network` and `options`: its name and its options as plain values. `summary`: see `SummaryNetwork`. Learned tokens
    `b t s d` are a grid of one row; a class token is left out. The middle maps are those of the depth nearest to the
    middle that is a grid. Weights through which features do not pass, as those of the last layer, are no parameters
    here. Raises ModelError for a network whose tokens are no grid.
    """

    frames_apart = False
    body: Network

    def __init__(
        self,
        *,
        classes: int,
        network: str,
        options: Mapping[str, Any],
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        summary: Summary = "mean",
        trained_blocks: int | None = 0,
    ):
        super().__init__(frames=frames, size=size)
        self.body = Architecture(network=network, options=options, frames=frames, size=size).build(classes=1)
        _set_apart(self.body)
        self.middle = self._middle()
        self.add_head(classes, summary=summary, trained_blocks=trained_blocks)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return self.body.blocks

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        return self.body.beside_blocks()

    def arranged(self, output: Tensor, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        return self.body.arranged(output, depth=depth, clips=clips)

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        return self.body.looks(x)

    def no_weight_decay(self) -> set[str]:
        return super().no_weight_decay() & dict(self.named_parameters()).keys()

    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t h w d"], Float[Tensor, "b t2 h2 w2 d2"]]:
        kept: list[Any] = []
        hook = self.blocks[self.middle - 1].register_forward_hook(lambda _module, _given, output: kept.append(output))
        try:
            last = self._gridded(self.body.tokens(x))
        finally:
            hook.remove()
        return last, self._gridded(self.body.arranged(kept[0], depth=self.middle, clips=x.shape[0]))

    def _middle(self) -> int:
        """The depth nearest to the middle, behind the first block at least, whose tokens are a grid."""
        shadow, last = meta_copy(self.body), len(self.blocks)
        frames, rows, columns = self.clip
        depths = range(1, last + 1)
        with torch.no_grad():
            found = shadow.features(torch.empty(1, frames, COLOURS, rows, columns, device="meta"), depths=depths)
        grids = [
            depth
            for depth, tokens in zip(depths, found, strict=True)
            if isinstance(tokens, Tensor) and tokens.ndim == 5
        ]
        return min(grids or depths, key=lambda depth: abs(depth - last // 2))

    def _gridded(self, tokens: Tensor) -> Float[Tensor, "b t h w d"]:
        if tokens.ndim == 5:
            return tokens
        if tokens.ndim == 4:
            return rearrange(tokens, "b t s d -> b t 1 s d")
        steps, height, width = self.body.grid
        if tokens.ndim == 3 and tokens.shape[1] - steps * height * width in (0, 1):
            grid = tokens[:, tokens.shape[1] - steps * height * width :]
            return rearrange(grid, "b (t h w) d -> b t h w d", t=steps, h=height, w=width)
        raise ModelError(
            f"{type(self.body).__name__} cannot serve as an encoder: its tokens are no grid b t h w d (their shape is "
            f"{tuple(tokens.shape)})"
        )


def _set_apart(body: Network) -> None:
    """Turn the parameters through which the tokens do not pass into buffers: no gradient would ever reach them."""
    shadow = meta_copy(body)
    frames, rows, columns = body.clip
    with torch.enable_grad():
        shadow.tokens(torch.empty(1, frames, COLOURS, rows, columns, device="meta")).sum().backward()
    unused = [name for name, parameter in shadow.named_parameters() if parameter.grad is None]
    for name in unused:
        owner, _, last = name.rpartition(".")
        module = body.get_submodule(owner)
        value = module.get_parameter(last).detach()
        delattr(module, last)
        module.register_buffer(last, value)
