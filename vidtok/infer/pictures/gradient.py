"""Class maps by the gradient: what of the last grid speaks for a class. They work on every network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, register
from vidtok.models.network import HeadOnMaps
from vidtok.nn.pool import ClassToken, Pool
from vidtok.nn.token_learner import TokenFuser, TokenLearner
from vidtok.nn.trace import in_clips

LEAST = 1e-3
"""Of the sum of magnitudes: where the largest sum over channels is less, they cancel, as they do in front of a norm."""


@register("gradient", words="what of the last grid speaks for a class, by the gradient (`label`, by default the best)")
def gradient(scene: Scene) -> Sequence[Shown]:
    """One panel: gradient times activation, summed over the channels, where it is above zero.

        map(t, h, w) = max(0, Σ_d A(t, h, w, d) · ∂logit / ∂A(t, h, w, d))

    HiResCAM (Draelos and Carin, arXiv 2011.08891), which differs from Grad-CAM (Selvaraju et al., arXiv 1610.02391) in
    that gradients are not averaged over the places first. A is the last tokens on a grid that reach the logit: what is
    pooled, behind its norm; what a TokenLearner gets; what the last attention gets beside a class token. In front of a
    norm the sum over channels is zero whatever a place says, so those are passed over. With mean pooling and a linear
    layer right behind A, the sum of A's parts is the logit less its bias.
    """
    parts, place = class_parts(scene)
    return [
        Shown(
            title=f"for {scene.label_name}",
            place=place,
            query=scene.class_words,
            meaning="what of a place speaks for the class: gradient times activation, where above zero",
            maps=parts.clamp(min=0).cpu(),
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Tokens on a grid that a run went through; `grid` puts numbers of their form on it."""

    place: str
    tensors: Sequence[Tensor]
    grid: Callable[[Sequence[Tensor]], Float[Tensor, "1 t h w d"] | None]


def class_parts(scene: Scene) -> tuple[Float[Tensor, "t h w"], str]:
    """Gradient times activation at the last grid that reaches the class's logit, summed over channels; and where."""
    network = scene.network
    with torch.enable_grad():
        clip = scene.clip.detach().clone().requires_grad_()
        if isinstance(network, HeadOnMaps):
            maps = network.maps(clip)
            logits = network.logits_of_maps(*maps)
            sites = [
                Site(place=f"maps {number} of the encoder", tensors=[each], grid=lambda found: found[0])
                for number, each in reversed(list(enumerate(maps, start=1)))
            ]
        else:
            sites, logits = sites_of(network, clip)
        wanted = [tensor for site in sites for tensor in site.tensors]
        grads = torch.autograd.grad(logits[0, scene.label], wanted, allow_unused=True)
    found = iter(grads)
    parts: tuple[Tensor, str] | None = None
    for site in sites:
        products = [
            torch.zeros_like(tensor) if grad is None else grad * tensor.detach()
            for tensor, grad in zip(site.tensors, [next(found) for _ in site.tensors], strict=True)
        ]
        placed = site.grid(products)
        if placed is None or (placed.shape[2] * placed.shape[3] == 1 and network.grid[1] * network.grid[2] > 1):
            continue
        each = placed.float().sum(-1)[0]
        if parts is None or each.abs().amax() > LEAST * placed.float().abs().sum(-1).amax():
            parts = (each, site.place)
    if parts is None or not parts[0].any():
        raise ModelError(f"gradient {NOTHING}: no gradient of the class reaches tokens on a grid that is known")
    return parts


def sites_of(network: Any, clip: Float[Tensor, "1 f c y x"]) -> tuple[list[Site], Float[Tensor, "1 k"]]:
    """The grids of a run in their order, and the logits."""
    sites: list[Site] = []
    blocks = {block: depth for depth, block in enumerate(network.blocks, start=1)}

    def before(place: str) -> Callable[..., None]:
        def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sites.append(Site(place=place, tensors=[inputs[0]], grid=lambda found: in_clips(found[0], 1)))

        return keep

    def behind(depth: int) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: object, output: Any) -> None:
            # Two pathways may come as a list, whose entries later layers change.
            output = list(output) if isinstance(output, list) else output
            parts = list(output) if isinstance(output, list | tuple) else [output]
            floats = [part for part in parts if isinstance(part, Tensor) and part.requires_grad]

            def grid(found: Sequence[Tensor]) -> Tensor | None:
                new = iter(found)
                filled = [next(new) if any(part is kept for kept in floats) else part for part in parts]
                whole = type(output)(filled) if isinstance(output, list | tuple) else filled[0]
                return on_grid(network.arranged(whole, depth=depth, clips=1), network.grid)

            sites.append(Site(place=f"behind block {depth} of {len(blocks)}", tensors=floats, grid=grid))

        return keep

    def normed(place: str, pooled: list[torch.Size]) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            def grid(found: Sequence[Tensor]) -> Tensor | None:
                if pooled and found[0].numel() == pooled[-1].numel():
                    return in_clips(found[0].view(pooled[-1]), 1) if len(pooled[-1]) == 5 else None
                return on_grid(found[0], network.grid)

            if output.requires_grad:
                sites.append(Site(place=place, tensors=[output], grid=grid))

        return keep

    def shape_into(pooled: list[torch.Size]) -> Callable[..., None]:
        return lambda _module, inputs: pooled.append(inputs[0].shape)

    hooks = [block.register_forward_hook(behind(depth)) for block, depth in blocks.items()]
    taken: set[nn.Module] = set()
    for path, module in network.named_modules():
        if isinstance(module, TokenLearner | TokenFuser):
            taken.update(module.modules())  # their norms see a part of what goes on
        if isinstance(module, TokenLearner | ClassToken):
            hooks.append(module.register_forward_pre_hook(before(f"before {path}")))
        elif isinstance(module, Pool):  # it flattens what it gets
            shapes: list[torch.Size] = []
            hooks.append(module.register_forward_pre_hook(shape_into(shapes)))
            hooks.append(module.norm.register_forward_hook(normed(f"behind {path}.norm", shapes)))
            taken.add(module.norm)
        elif isinstance(module, nn.LayerNorm) and module not in taken:
            hooks.append(module.register_forward_hook(normed(f"behind {path}", [])))
    try:
        logits = network.logits(clip)
    finally:
        for hook in hooks:
            hook.remove()
    return sites, logits


def on_grid(tokens: Tensor, grid: tuple[int, int, int]) -> Float[Tensor, "1 t h w d"] | None:
    """Tokens as `Network.features` gives them, on their grid; None for learned tokens, and where the grid is not known.

    With a class token, which stands first, the others are the network's grid.
    """
    t, h, w = grid
    if tokens.dim() == 5:
        return in_clips(tokens, 1)
    if tokens.dim() == 3 and tokens.shape[0] * (tokens.shape[1] - 1) == t * h * w:
        return rearrange(tokens[:, 1:], "u (t h w) d -> 1 (u t) h w d", h=h, w=w)
    return None
