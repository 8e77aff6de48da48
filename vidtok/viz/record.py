"""What a network looks at: the maps of its TokenLearner and the attention of its last mixer, recorded in one pass."""

from dataclasses import dataclass
from typing import Any

import torch
from einops import einsum, rearrange, reduce
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.metrics import ScoreKind, to_scores
from vidtok.nn.token_learner import TokenLearner


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One clip's scores and maps; time step `i` of `t` belongs to the frames from `i * f / t` on.

    `learned` has the weight of every place for each learned token (None without TokenLearner). `last` is what the last
    mixer looks at: its attention, averaged over heads and queries, for every place of the grid.
    """

    scores: Float[Tensor, "k"]
    learned: Float[Tensor, "t s h w"] | None
    last: Float[Tensor, "t h w"]


@torch.inference_mode()
def record_attention(
    model: nn.Module, clip: UInt8[Tensor, "f c y x"], *, grid: tuple[int, int, int], kind: ScoreKind = "softmax"
) -> Attention:
    """Run the model on one clip and recompute the maps that its kernels do not keep. `grid`: of the tokenizer, `t h w`.

    Raises ModelError for a network without a mixer that can show its attention.
    """
    mixers = outer_mixers(model)
    if not mixers:
        raise ModelError(f"{type(model).__name__} has no mixer with an attention map to show")
    learners = [module for module in model.modules() if isinstance(module, TokenLearner)]
    watched = [*learners[:1], mixers[-1]]
    seen: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen[module] = inputs[0]

    handles = [module.register_forward_pre_hook(keep) for module in watched]
    was_training = model.training
    model.eval()
    try:
        logits = model(clip.unsqueeze(0))
        learned = learners[0].maps(seen[learners[0]])[0] if learners else None
        attention, _ = mixers[-1].attention_map(seen[mixers[-1]])
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    last = to_grid(attention[0], learned, grid_of(seen[mixers[-1]], learned, grid))
    return Attention(scores=to_scores(logits[0].float(), kind=kind), learned=learned, last=last)


def outer_mixers(model: nn.Module) -> list[Any]:
    """The modules that can show their attention, in their order; not those that are part of another such module."""
    shown = {name: module for name, module in model.named_modules() if hasattr(module, "attention_map")}
    return [
        module for name, module in shown.items() if not any(name.startswith(f"{outer}.") for outer in shown if outer)
    ]


def grid_of(
    x: Float[Tensor, "..."], learned: Float[Tensor, "t s h w"] | None, grid: tuple[int, int, int]
) -> tuple[int, int, int]:
    """The grid `t h w` of a mixer's input: its own axes; where it has none left, TokenLearner's or the tokenizer's."""
    if learned is not None:
        t, _, h, w = learned.shape
    elif x.dim() == 5:
        _, t, h, w, _ = x.shape
    else:
        t, h, w = grid
    return t, h, w


def to_grid(
    attention: Float[Tensor, "..."], learned: Float[Tensor, "t s h w"] | None, grid: tuple[int, int, int]
) -> Float[Tensor, "t h w"]:
    """Bring a mixer's map to the places of the grid.

    `heads n n`: mean over heads and queries is the weight of each token; a learned token hands its weight on to the
    places through its own map. A class token, the first of `n = 1 + t h w`, is left out. `t h w d`: mean magnitude.
    """
    t, h, w = grid
    if attention.dim() == 4:
        return reduce(attention.abs(), "t h w d -> t h w", "mean")
    weight = reduce(attention, "heads q n -> n", "mean")
    if learned is not None:
        tokens = rearrange(weight, "(t s) -> t s", t=t)
        share = learned / learned.sum((-2, -1), keepdim=True)
        return einsum(tokens, share, "t s, t s h w -> t h w")
    return rearrange(weight[-t * h * w :], "(t h w) -> t h w", t=t, h=h, w=w)
