"""What the layers of a network got in one run, in the order of their use, and where their tokens stand on the grid."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.looks import heads_of, spread_tokens
from vidtok.nn.pool import ClassToken
from vidtok.nn.token_learner import TokenLearner

Place = tuple[int, int, int]
"""Time step, row, column."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A TokenLearner in a run: its maps for the clips."""

    path: str
    version: str
    maps: Float[Tensor, "b t s h w"]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A mixer in a run: its input, and where its tokens stand.

    b t h w d     the grid; `apart`: its time steps were clips of their own, `(b t) 1 h w d`
    b t s d       the tokens of `learned`
    b n d         with `class_token` that token, then the grid
    """

    path: str
    mixer: Any
    inputs: Float[Tensor, "n *axes d"]
    grid: Place
    """Time steps, rows and columns of a clip's grid."""
    apart: bool = False
    class_token: bool = False
    learned: Learned | None = None

    @property
    def says_where(self) -> bool:
        """Whether its map tells places of a picture apart."""
        return heads_of(self.mixer) is not None and self.grid[1] * self.grid[2] > 1

    @property
    def tokens(self) -> Float[Tensor, "n *axes d"]:
        """The input as the mixer's `attention_map` wants it: one that takes any axes gets them flattened."""
        return self.inputs if self.mixer.needs_grid else self.inputs.flatten(1, -2)

    def on_grid(self, weights: Float[Tensor, "n tokens"]) -> Float[Tensor, "b t h w"]:
        """A number for every token as a number for every place; learned tokens hand theirs on to their places."""
        t, h, w = self.grid
        steps = t if self.apart else 1
        if self.learned is not None:
            by_step = rearrange(weights, "(b u) (t s) -> b (u t) s", u=steps, t=t // steps)
            return spread_tokens(by_step, self.learned.maps)
        if self.class_token:
            weights = weights[:, 1:]
        return rearrange(weights, "(b u) (t h w) -> b (u t) h w", u=steps, h=h, w=w)


def layers_of(
    network: nn.Module, run: Callable[[Tensor], Any], x: Float[Tensor, "b f c y x"]
) -> tuple[list[Mixed], list[Learned]]:
    """The mixers and the TokenLearners that work when `run`, a method of the network, is called with clips.

    Whatever has `attention_map` is a mixer; one inside of another is a part of it. A mixer that gets `b n d` is placed
    by the class token that went before it; where there was none, or other tokens stand there, nobody knows their
    places, and the mixer is left out.
    """
    clips = x.shape[0]
    mixed: list[Mixed] = []
    learned: list[Learned] = []
    before_token: list[Place] = []

    def saw_learner(path: str) -> Callable[..., None]:
        def keep(module: Any, inputs: tuple[Tensor, ...]) -> None:
            maps = module.maps(inputs[0])
            learned.append(Learned(path=path, version=module.version, maps=in_clips(maps, clips)))

        return keep

    def saw_token(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        before_token.append(in_clips(inputs[0], clips).shape[1:4])  # pyright: ignore[reportArgumentType]

    def saw_mixer(path: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            tokens = inputs[0]
            apart = tokens.shape[0] != clips
            if tokens.dim() == 5:
                t, h, w = in_clips(tokens, clips).shape[1:4]
                mixed.append(Mixed(path=path, mixer=module, inputs=tokens, grid=(t, h, w), apart=apart))
            elif tokens.dim() == 4 and learned:
                t, s, h, w = learned[-1].maps.shape[1:]
                if in_clips(tokens, clips).shape[1:3] == (t, s):
                    mixed.append(
                        Mixed(path=path, mixer=module, inputs=tokens, grid=(t, h, w), apart=apart, learned=learned[-1])
                    )
            elif tokens.dim() == 3 and before_token:
                t, h, w = grid = before_token[-1]
                if tokens.shape[1] == 1 + (1 if apart else t) * h * w:
                    mixed.append(
                        Mixed(path=path, mixer=module, inputs=tokens, grid=grid, apart=apart, class_token=True)
                    )

        return keep

    hooks, inside = [], ""
    for path, module in network.named_modules():
        if isinstance(module, TokenLearner):
            hooks.append(module.register_forward_pre_hook(saw_learner(path)))
        elif isinstance(module, ClassToken):
            hooks.append(module.register_forward_pre_hook(saw_token))
        elif hasattr(module, "attention_map") and not (inside and path.startswith(inside)):
            inside = f"{path}."
            hooks.append(module.register_forward_pre_hook(saw_mixer(path)))
    try:
        run(x)
    finally:
        for hook in hooks:
            hook.remove()
    return mixed, learned


def in_clips(tensor: Float[Tensor, "n t *rest"], clips: int) -> Float[Tensor, "b s *rest"]:
    """Tensors of time steps that were clips of their own, `(b t) 1 …`, for the clips; others as they are."""
    if tensor.shape[0] == clips:
        return tensor
    return rearrange(tensor, "(b t) 1 ... -> b t ...", b=clips)


def query_rows(layer: Mixed, place: Place | None) -> tuple[Float[Tensor, "n heads tokens"], str] | None:
    """What a token takes from every token of an attention layer, head by head, and whose look it is.

    The look of the place's own token; behind a TokenLearner that of its time step's learned tokens, each in the share
    that it has of the place. Without a place the class token's, or the mean over all tokens; of layers that see time
    steps apart each step then has the same part. None for mixers whose map has no rows.
    """
    t, h, w = layer.grid
    device = layer.inputs.device
    rows, shares = None, None
    step = 0 if place is None or layer.apart else place[0]
    if place is not None and layer.learned is not None:
        own = layer.learned.maps[:, place[0], :, place[1], place[2]]
        rows, shares = step * own.shape[1] + torch.arange(own.shape[1], device=device), own / own.sum(1, keepdim=True)
        words = "the learned tokens of the point, by their shares of it"
    elif place is not None:
        row = step * h * w + place[1] * w + place[2] + layer.class_token
        rows, words = torch.tensor([row], device=device), "the token at the point"
    elif layer.class_token:
        rows, words = torch.tensor([0], device=device), "the class token"
    else:
        words = "mean over all learned tokens" if layer.learned is not None else "mean over all tokens"
    attention, _ = layer.mixer.attention_map(layer.tokens, query=rows)
    if attention.dim() != 4:
        return None
    if shares is None:
        found = attention.mean(2)
    else:
        if layer.apart:
            shares = shares.repeat_interleave(t, dim=0)
        found = torch.einsum("nhqk,nq->nhk", attention, shares)
    if layer.apart and place is None:
        return found / t, f"{words}, each time step by itself"
    if layer.apart and place is not None:  # the other time steps have no part in it
        steps = torch.arange(len(found), device=device) % t
        return found * (steps == place[0]).view(-1, 1, 1), f"{words}, in its own time step"
    return found, words
