"""Efficient additive attention: one global query, made of all queries, meets every key; there are no values."""

import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.mixers.registry import register


@register("efficient_additive")
class EfficientAdditive(nn.Module):
    """Efficient additive attention (Shaker et al., "SwiftFormer", arXiv 2303.15446, section 3.1).

        α = normalise_i(q_i · w)      g = Σ_i α_i q_i      y = W_o ( W_t (k ⊙ g) + q )

    q and k are x W_q and x W_k with unit length. The cost is linear in the number of tokens. As in the authors' code,
    and unlike the paper's text, α and the keys have unit length (so that the paper's 1/√d drops out of α) and a
    linear layer W_o stands last. It runs over all tokens of the clip. There are no heads.
    """

    needs_grid = False
    map_meaning = "what each token adds to the global query"

    def __init__(self, width: int):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.transform = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        return self.attention_map(x)[1]

    def attention_map(
        self, x: Float[Tensor, "b *axes d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "b *axes d"]]:
        """What each token adds to the global query (`b *axes d`; `b q d` for the flattened tokens in `query`)."""
        tokens = x.flatten(1, -2)
        q, k = F.normalize(self.query(tokens), dim=-1), F.normalize(self.key(tokens), dim=-1)
        share = F.normalize(self.score(q), dim=1) * q
        out = self.proj(self.transform(k * reduce(share, "b n d -> b 1 d", "sum")) + q)
        rows = share.view(x.shape) if query is None else share[:, query]
        return rows, out.view(x.shape)
