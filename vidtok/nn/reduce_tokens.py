"""A frame's grid of tokens made smaller without training, so that the features of many clips can be kept."""

from dataclasses import dataclass

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import TokenForm
from vidtok.errors import ModelError
from vidtok.nn.mixers.super_token import super_tokens


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What is kept of each frame's grid.

        full           every token
        mean           their mean
        cells          the means of a coarse grid of `side` rows and columns, in the manner of adaptive pooling
        super_tokens   super tokens of such a grid: each is a mean of what is alike in and around its cell (Huang et
                       al., arXiv 2211.11167, see `super_tokens`); whole cells, so there may be fewer than `side`

    Raises ModelError for a side below 1, and for one where nothing is divided.
    """

    form: TokenForm
    side: int = 1

    def __post_init__(self):
        if self.side < 1:
            raise ModelError(f"a coarse grid has at least one row and column, got side={self.side}")
        if self.form in ("full", "mean") and self.side != 1:
            raise ModelError(f"{self.form} divides no grid, so it has no side (got {self.side})")

    @property
    def name(self) -> str:
        return self.form if self.form in ("full", "mean") else f"{self.form}_{self.side}"

    def __call__(self, maps: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t s d"]:
        batch, _, height, width, _ = maps.shape
        if self.form == "full":
            return rearrange(maps, "b t h w d -> b t (h w) d")
        frames = rearrange(maps, "b t h w d -> (b t) h w d")
        if self.form == "super_tokens":
            cells = (1, -(-height // self.side), -(-width // self.side))
            found = super_tokens(frames[:, None], cells=cells)[:, 0]
            return rearrange(found, "(b t) h w d -> b t (h w) d", b=batch)
        pooled = F.adaptive_avg_pool2d(rearrange(frames, "n h w d -> n d h w"), self.side)
        return rearrange(pooled, "(b t) d h w -> b t (h w) d", b=batch)
