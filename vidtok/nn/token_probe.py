"""TokenLearner as a probe: a few learned tokens of each frame of a frozen encoder, blocks among them, and logits."""

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.nn.block import Block
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.pool import check_classes
from vidtok.nn.token_learner import TokenLearner

BUDGETS = (1, 2, 4, 8, 16)
"""Learned tokens per frame between which nested dropout draws, and which one model then serves."""


class TokenLearnerProbe(nn.Module):
    """TokenLearner on every frame's grid, blocks among all learned tokens of the clip, their mean, a linear layer.

        x (b t h w d) ──TokenLearner──► (b t s d) ──Linear(LayerNorm)──► + position[t, s] ──blocks──► mean ──► logits

    With `tokens=n` in a call only the first n learned tokens of each frame are made and used. Trained with n drawn at
    random (nested dropout: Rippel, Gelbart, Adams, arXiv 1402.0915), the tokens are in order of worth, and one probe
    serves every budget. Ryoo et al., TokenLearner, arXiv 2106.11297. Takes clips of `frames` time steps; ModelError
    for others, and for a budget that is not there.
    """

    def __init__(
        self,
        token_width: int,
        *,
        classes: int,
        frames: int,
        tokens: int = 8,
        width: int = 128,
        depth: int = 1,
        heads: int = 4,
    ):
        super().__init__()
        check_classes(classes)
        self.learner = TokenLearner(token_width, tokens=tokens)
        self.enter = nn.Sequential(nn.LayerNorm(token_width), nn.Linear(token_width, width))
        self.position = nn.Parameter(torch.empty(frames, tokens, width))
        self.blocks = nn.ModuleList(Block(width, mixers=[MHSA(width, heads=heads)]) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def no_weight_decay(self) -> set[str]:
        """The positions."""
        return {"position"}

    def forward(self, x: Float[Tensor, "b t h w d"], *, tokens: int | None = None) -> Float[Tensor, "b k"]:
        return self.head(reduce(self._mixed(x, tokens), "b n d -> b d", "mean"))

    def evidence(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t k"]:
        """The part of the logits that comes from each time step's learned tokens behind the blocks; the bias in equal
        parts. Their sum is what `forward` gives."""
        steps = x.shape[1]
        by_step = reduce(self._mixed(x, None), "b (t s) d -> b t d", "mean", t=steps)
        return self.head(by_step) / steps

    def _mixed(self, x: Float[Tensor, "b t h w d"], tokens: int | None) -> Float[Tensor, "b n width"]:
        frames, most = self.position.shape[:2]
        kept = most if tokens is None else tokens
        if not 1 <= kept <= most:
            raise ModelError(f"the probe has 1 to {most} learned tokens for each frame, asked for {kept}")
        if x.shape[1] != frames:
            raise ModelError(f"the probe has positions for {frames} frames, the clip has {x.shape[1]}")
        learned = self.enter(self.learner(x)[:, :, :kept]) + self.position[:, :kept]
        learned = learned.flatten(1, 2)
        for block in self.blocks:
            learned = block(learned)
        return self.norm(learned)
