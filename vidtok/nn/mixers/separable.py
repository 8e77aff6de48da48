"""Separable self-attention: every token meets one context vector instead of every other token."""

import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.mixers.registry import register


@register("separable")
class Separable(nn.Module):
    """Separable self-attention (Mehta and Rastegari, "MobileViTv2", arXiv 2206.02680, section 3.1).

        c = Σ_i softmax_i(x_i w) · x_i W_k          y = (relu(x W_v) ⊙ c) W_o

    The cost is linear in the number of tokens. It differs from the paper in what the softmax runs over: there the
    tokens at one place of all patches, here all tokens of the clip; and the score has no bias, which the softmax
    would cancel. There are no heads.
    """

    needs_grid = False
    map_meaning = "what each token adds to the context vector"

    def __init__(self, width: int):
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        return self.attention_map(x)[1]

    def attention_map(
        self, x: Float[Tensor, "b *axes d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "b *axes d"]]:
        """What each token adds to the context vector (`b *axes d`; `b q d` for the flattened tokens in `query`)."""
        tokens = x.flatten(1, -2)
        share = self.score(tokens).softmax(1) * self.key(tokens)
        context = reduce(share, "b n d -> b 1 d", "sum")
        out = self.proj(F.relu(self.value(tokens)) * context)
        rows = share.view(x.shape) if query is None else share[:, query]
        return rows, out.view(x.shape)
