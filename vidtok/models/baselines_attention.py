"""Where the networks of pytorchvideo and torchvision look, as far as their own layers tell."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.looks import inputs_of, softmax_kept
from vidtok.types import AttentionMap

Call = Callable[[Tensor], Any]
"""A network, or a method of it."""


def last_softmax(layer: nn.Module, network: Call, x: Tensor) -> tuple[Float[Tensor, "..."], tuple[Any, ...]]:
    """The weights that a library's attention layer computes when the network is called with `x`, and its inputs."""
    (inputs,) = inputs_of([layer], network, x)
    with softmax_kept() as kept:
        layer(*inputs)
    (weights,) = kept
    return weights, inputs


def class_token_look(layer: Any, network: Call, x: Float[Tensor, "b *axes"], *, place: str) -> AttentionMap:
    """The look of MViT's class token, which stands first, on the grid of keys.

    A layer that pools its queries has keys on a finer grid than that of the tokens it puts out.
    """
    weights, (_, grid) = last_softmax(layer, network, x)
    pool = getattr(layer.pool_k, "pool", layer.pool_k)  # torchvision keeps a norm beside it
    t, h, w = (-(-extent // stride) for extent, stride in zip(grid, pool.stride, strict=True))
    maps = rearrange(reduce(weights[:, :, 0, 1:], "b heads n -> b n", "mean"), "b (t h w) -> b t h w", t=t, h=h, w=w)
    meaning = "attention, mean over the heads; a key is pooled from the 3 x 3 x 3 places around it"
    return AttentionMap(place=place, query="the class token", meaning=meaning, maps=maps)


def window_look(layer: Any, network: Call, x: Float[Tensor, "b *axes"], *, place: str) -> AttentionMap:
    """The mean look over all tokens of a grid whose attention stays within shifted windows (Video Swin).

    Windows as the layer cuts them: no larger than the grid, the grid filled up to whole windows and turned by the shift
    where the window is smaller than the grid. What the filling takes is missing in the sum over the clip.
    """
    weights, (tokens,) = last_softmax(layer, network, x)
    grid = tuple(tokens.shape[1:4])
    t, h, w = grid
    window = [min(size, extent) for size, extent in zip(grid, layer.window_size, strict=True)]
    shift = [s if size > extent else 0 for size, extent, s in zip(grid, window, layer.shift_size, strict=True)]
    # Places are numbered from 1, so that 0 is where the filling is.
    number = torch.arange(1, t * h * w + 1, device=weights.device).view(grid)
    number = F.pad(number, [n for size, p in zip(grid[::-1], window[::-1], strict=True) for n in (0, -size % p)])
    number = number.roll([-s for s in shift], dims=(0, 1, 2))
    pt, ph, pw = window
    number = rearrange(number, "(t pt) (h ph) (w pw) -> (t h w) (pt ph pw)", pt=pt, ph=ph, pw=pw)
    by_window = rearrange(weights, "(b n) heads q k -> b n heads q k", n=len(number))
    real = (number > 0).to(weights.dtype)
    taken = torch.einsum("bnhqk,nq->bnk", by_window, real) / (weights.shape[1] * t * h * w)
    places = weights.new_zeros(len(taken), int(number.max()) + 1)
    places = places.scatter_add(1, number.flatten().expand(len(taken), -1), taken.flatten(1))[:, 1:]
    maps = rearrange(places, "b (t h w) -> b t h w", t=t, h=h, w=w)
    query = "mean over all tokens"
    return AttentionMap(place=place, query=query, meaning="attention within windows, mean over the heads", maps=maps)
