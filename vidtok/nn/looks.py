"""Where layers look: what the networks' `attention` methods share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import einsum, rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vidtok.errors import ModelError
from vidtok.types import AttentionMap

ALL_HEADS = slice(None)


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """The network in evaluation state and without gradients; afterwards each of its modules is as it was before."""
    before = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in before.items():
            module.training = training


def inputs_of(layers: Sequence[nn.Module], network: Callable[[Tensor], Any], x: Tensor) -> list[tuple[Any, ...]]:
    """What each of these layers gets when `network`, or a method of it, is called with `x`; each is called once."""
    seen: dict[nn.Module, tuple[Any, ...]] = {}

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen[module] = inputs

    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    try:
        network(x)
    finally:
        for handle in handles:
            handle.remove()
    return [seen[layer] for layer in layers]


def heads_of(mixer: nn.Module) -> slice | None:
    """The heads whose map holds a where; None where it holds none, because tokens of the same place alone meet."""
    return getattr(mixer, "where_heads", ALL_HEADS)


def last_where(mixers: Sequence[nn.Module]) -> int:
    """The index of the last mixer whose map holds a where; ModelError where none does."""
    for index in reversed(range(len(mixers))):
        if heads_of(mixers[index]) is not None:
            return index
    raise ModelError("no layer of this network looks from one place to another, so there is nothing to show")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one mixer takes from each token of its input, tokens counted along the flattened axes."""

    weights: Float[Tensor, "b n"]
    query: str
    """Whose look it is, in words."""
    meaning: str
    """What a number says, in words."""


def look(mixer: Any, x: Float[Tensor, "b *axes d"], *, class_token: bool = False) -> Look:
    """What a mixer that got `x` takes from each token.

    Attention: the mean over the heads that hold a where, and over all queries; with `class_token` the look of the first
    token, which alone reaches the logits where the mixer is the last one. Additive mixers have no queries of their own:
    the mean magnitude over the channels.
    """
    # A mixer that takes any axes gets them flattened: `b t s d` and `b heads q n` could not be told apart afterwards.
    tokens = x if mixer.needs_grid else x.flatten(1, -2)
    attention, _ = mixer.attention_map(
        tokens, query=torch.zeros(1, dtype=torch.long, device=x.device) if class_token else None
    )
    meaning = getattr(mixer, "map_meaning", None)
    if attention.dim() != 4:
        if class_token:
            attention, _ = mixer.attention_map(tokens)
        weights = reduce(attention.abs().flatten(1, -2), "b n d -> b n", "mean")
        return Look(
            weights=weights, query="the same for every token", meaning=f"mean magnitude of {meaning or 'the map'}"
        )
    heads = heads_of(mixer)
    weights = reduce(attention[:, ALL_HEADS if heads is None else heads], "b heads q n -> b n", "mean")
    some = "" if heads in (None, ALL_HEADS) else " that look over space"
    return Look(
        weights=weights,
        query="the class token" if class_token else "mean over all tokens",
        meaning=f"{meaning or 'attention'}, mean over the heads{some}",
    )


def energy(tokens: Float[Tensor, "b t h w d"], *, place: str) -> AttentionMap:
    """The mean magnitude of a grid over its channels: all that a network without attention has to show."""
    return AttentionMap(
        place=place,
        query="none: there is no attention",
        meaning="mean magnitude of the activations; a place answers for all the pixels that its layers reach",
        maps=reduce(tokens.abs(), "b t h w d -> b t h w", "mean"),
    )


def spread_tokens(weights: Float[Tensor, "b t s"], learned: Float[Tensor, "b t s h w"]) -> Float[Tensor, "b t h w"]:
    """Each learned token hands its weight on to the places that it was made of, in the shares of its own map."""
    share = learned / learned.sum((-2, -1), keepdim=True)
    return einsum(weights, share, "b t s, b t s h w -> b t h w")


def look_on_grid(mixer: Any, x: Float[Tensor, "b t h w d"], *, place: str) -> AttentionMap:
    """A mixer's look where its input still is the grid."""
    _, t, h, w, _ = x.shape
    found = look(mixer, x)
    maps = rearrange(found.weights, "b (t h w) -> b t h w", t=t, h=h, w=w)
    return AttentionMap(place=place, query=found.query, meaning=found.meaning, maps=maps)


def in_time_steps(found: AttentionMap, *, clips: int) -> AttentionMap:
    """The map of layers that saw each time step as a clip of its own, `(b t) 1 …`, for the clips.

    Attention is divided by the number of time steps, so that it sums to 1 over the clip; maps of learned tokens are
    weights within a time step anyway.
    """
    maps = rearrange(found.maps, "(b t) 1 ... -> b t ...", b=clips)
    if maps.dim() == 4:
        maps = maps / maps.shape[1]
    return replace(found, query=f"{found.query}, each time step by itself", maps=maps)


@contextmanager
def softmax_kept() -> Iterator[list[Tensor]]:
    """The results of every softmax in here, in their order: the weights of attention that a library computes itself."""
    kept: list[Tensor] = []

    class Keeper(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if getattr(func, "__name__", "") == "softmax":
                kept.append(out)
            return out

    with Keeper():
        yield kept
