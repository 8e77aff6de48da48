"""Attentive probes: a learned query or class token looks at the tokens of a frozen network; a linear layer follows."""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.nn.block import Block
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.mlp import MLP
from vidtok.nn.pool import check_classes

INIT_STD = 0.02


class CrossAttention(nn.Module):
    """Queries look at tokens, softmax(q kᵀ / √(d / heads)) v, without a projection behind it; rows of one matrix are
    [k | v]. Raises ModelError for a width that the heads do not divide."""

    def __init__(self, width: int, *, heads: int):
        super().__init__()
        if heads < 1 or width % heads:
            raise ModelError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def forward(self, queries: Float[Tensor, "b q d"], x: Float[Tensor, "b n d"]) -> Float[Tensor, "b q d"]:
        q = rearrange(self.query(queries), "b q (heads d) -> b heads q d", heads=self.heads)
        k, v = rearrange(self.key_value(x), "b n (kv heads d) -> kv b heads n d", kv=2, heads=self.heads)
        return rearrange(F.scaled_dot_product_attention(q, k, v), "b heads q d -> b q (heads d)")

    def attention_of(self, queries: Float[Tensor, "b q d"], x: Float[Tensor, "b n d"]) -> Float[Tensor, "b heads q n"]:
        """What each query takes from each token, which `forward` leaves to the fused kernel."""
        q = rearrange(self.query(queries), "b q (heads d) -> b heads q d", heads=self.heads)
        k = rearrange(self.key_value(x).chunk(2, dim=-1)[0], "b n (heads d) -> b heads n d", heads=self.heads)
        return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)


class AttentivePool(nn.Module):
    """Tokens to one vector: `depth - 1` pre-norm blocks among the tokens, then a learned query that looks at them.

        q ← query + CrossAttention(query, LayerNorm(x));  q + MLP(LayerNorm(q))

    V-JEPA 2's pooler (Assran et al., arXiv 2506.09985, which has four blocks in all): the query is not normalised, the
    cross-attention has no projection behind it, GELU is exact. The order of tokens tells it nothing. `norm_eps`: 1e-6
    as transformers has it; Meta's own code leaves torch's 1e-5.
    """

    def __init__(self, width: int, *, heads: int = 16, depth: int = 4, mlp_ratio: float = 4.0, norm_eps: float = 1e-6):
        super().__init__()
        if depth < 1:
            raise ModelError(f"an attentive pool has at least the block of its query, got depth={depth}")
        self.blocks = nn.ModuleList(
            Block(width, mixers=[MHSA(width, heads=heads)], mlp_ratio=mlp_ratio, gelu="erf", norm_eps=norm_eps)
            for _ in range(depth - 1)
        )
        self.query = nn.Parameter(torch.empty(width))
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self.attend = CrossAttention(width, heads=heads)
        self.mlp_norm = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = MLP(width, hidden=round(width * mlp_ratio), out=width, gelu="erf")
        nn.init.trunc_normal_(self.query, std=INIT_STD)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=INIT_STD)
                nn.init.zeros_(layer.bias)

    def attention_of(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n"]:
        """What the query takes from each token behind the blocks, mean over the heads: 1 in all."""
        for block in self.blocks:
            x = block(x)
        query = repeat(self.query, "d -> b 1 d", b=x.shape[0])
        return self.attend.attention_of(query, self.norm(x))[:, :, 0].mean(1)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        for block in self.blocks:
            x = block(x)
        query = repeat(self.query, "d -> b 1 d", b=x.shape[0])
        query = query + self.attend(query, self.norm(x))
        return (query + self.mlp(self.mlp_norm(query)))[:, 0]


class AttentiveProbe(nn.Module):
    """V-JEPA 2's probe: an `AttentivePool` over all tokens, whatever their axes, and a linear layer."""

    def __init__(
        self,
        width: int,
        *,
        classes: int,
        heads: int = 16,
        depth: int = 4,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
    ):
        super().__init__()
        check_classes(classes)
        self.pool = AttentivePool(width, heads=heads, depth=depth, mlp_ratio=mlp_ratio, norm_eps=norm_eps)
        self.head = nn.Linear(width, classes)
        nn.init.trunc_normal_(self.head.weight, std=INIT_STD)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b k"]:
        return self.head(self.pool(x.flatten(1, -2)))

    def shares(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes"]:
        """What the query takes from each token, 1 in all. Blocks have mixed the tokens, which keep their places."""
        return self.pool.attention_of(x.flatten(1, -2)).view(x.shape[:-1])


class FrameOrderProbe(nn.Module):
    """A class token looks at tokens that know which frame they come from, so that open and close are two things.

        x (b t s d) ── Linear(LayerNorm) ──► + position[t] ──► [class token | tokens] ──MHSA──► LayerNorm ──► Linear

    STEP (Ponbagavathi, Roitberg, arXiv 2503.24298): learned positions of frames, which all tokens of a frame share, one
    class token for the whole clip, and attention without a residual branch or an MLP. It differs in the layer that
    brings tokens to `width` first (None: their own), which lets a wide encoder's tokens be probed on a processor.
    Takes clips of up to `frames` time steps; ModelError for longer ones.
    """

    def __init__(self, token_width: int, *, classes: int, frames: int, width: int | None = None, heads: int = 4):
        super().__init__()
        check_classes(classes)
        own = token_width if width is None else width
        self.enter = nn.Sequential(nn.LayerNorm(token_width), nn.Linear(token_width, own))
        self.position = nn.Parameter(torch.empty(frames, own))
        self.token = nn.Parameter(torch.empty(own))
        self.attend = MHSA(own, heads=heads)
        self.norm = nn.LayerNorm(own)
        self.head = nn.Linear(own, classes)
        for start in (self.position, self.token):
            nn.init.trunc_normal_(start, std=INIT_STD)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def no_weight_decay(self) -> set[str]:
        """The positions."""
        return {"position"}

    def forward(self, x: Float[Tensor, "b t s d"]) -> Float[Tensor, "b k"]:
        return self.head(self.norm(self.attend(self._with_token(x))[:, 0]))

    def shares(self, x: Float[Tensor, "b t s d"]) -> Float[Tensor, "b t s"]:
        """What the class token takes from each token, mean over the heads: 1 in all, with what it takes from itself."""
        first = torch.zeros(1, dtype=torch.long, device=x.device)
        weights, _ = self.attend.attention_map(self._with_token(x), query=first)
        return rearrange(weights[:, :, 0, 1:].mean(1), "b (t s) -> b t s", t=x.shape[1])

    def _with_token(self, x: Float[Tensor, "b t s d"]) -> Float[Tensor, "b n own"]:
        steps, known = x.shape[1], self.position.shape[0]
        if steps > known:
            raise ModelError(f"the probe has positions for {known} frames, the clip has {steps}")
        tokens = (self.enter(x) + self.position[:steps, None]).flatten(1, 2)
        token = repeat(self.token, "d -> b 1 d", b=x.shape[0])
        return torch.cat([token, tokens], dim=1)
