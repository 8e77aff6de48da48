"""TokenLearner: each time step's grid of tokens becomes a few learned tokens; TokenFuser: and back."""

from dataclasses import dataclass

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import LearnerPooling, LearnerVersion
from vidtok.errors import ModelError
from vidtok.nn.initial import lecun_normal_
from vidtok.nn.mlp import MLP

NORM_EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class TokenLearnerOptions:
    """Where TokenLearner stands in a network, and its form."""

    after_block: int
    """Number of blocks before it; 0 puts it before the first."""
    tokens: int = 8
    """Learned tokens for each time step."""
    version: LearnerVersion = "1.1"
    """1.1: an MLP and softmax over a time step's places. 1.0: four convolutions and a sigmoid for each place."""
    bottleneck: int | None = None
    """Width of the MLP's hidden layer, for version 1.1 only; by default 64."""
    pooling: LearnerPooling | None = None
    """How version 1.0 puts weighted places together; by default their sum. Version 1.1 has no choice."""
    fuse: bool = False
    """Every later block gets a TokenLearner before it and a TokenFuser behind it, which brings the grid back."""
    use_normalization: bool | None = None
    """With `fuse`: TokenFuser normalises the tokens before and behind their mixing, which is the default."""


class TokenLearner(nn.Module):
    """`tokens` learned tokens for each time step: weighted sums of the step's tokens, with weights made from them.

        x (h w d) ──LayerNorm──► maps (s h w)       z_s = Σ_hw maps_s · x       (x itself, not its norm)

    Version 1.1: Linear(d, bottleneck), GELU, Linear(bottleneck, s), softmax over the step's places.
    Version 1.0: three 3x3 convolutions with GELU and a fourth without, no biases, then a sigmoid; `pooling` sums
    (the authors' code) or averages (the paper's text) over the places. GELU is the tanh form.

    Ryoo et al., TokenLearner, arXiv 2106.11297; 1.1 is in the authors' code only, where 1.0 takes square grids alone.
    Raises ModelError for an option that the version does not have.
    """

    def __init__(
        self,
        width: int,
        *,
        tokens: int = 8,
        version: LearnerVersion = "1.1",
        bottleneck: int | None = None,
        pooling: LearnerPooling | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        if tokens < 1:
            raise ModelError(f"TokenLearner needs at least 1 token for each time step, got {tokens}")
        if version == "1.0" and bottleneck is not None:
            raise ModelError(f"TokenLearner 1.0 has no MLP, so no bottleneck (got {bottleneck}); version 1.1 has one")
        if version == "1.1" and pooling is not None:
            raise ModelError(
                f"TokenLearner 1.1 has softmax weights, so no pooling (got {pooling!r}); version 1.0 has it"
            )
        if version == "1.0" and dropout:
            raise ModelError(f"TokenLearner 1.0 has no dropout (got {dropout}); version 1.1 has")
        self.tokens = tokens
        self.version: LearnerVersion = version
        self.mean = pooling == "mean"
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        if version == "1.1":
            self.weigh = MLP(width, hidden=64 if bottleneck is None else bottleneck, out=tokens, dropout=dropout)
        else:
            layers: list[nn.Module] = []
            for colours in (width, tokens, tokens, tokens):
                conv = nn.Conv2d(colours, tokens, 3, padding=1, bias=False)
                lecun_normal_(conv.weight)
                layers += [conv, nn.GELU(approximate="tanh")]
            self.weigh = nn.Sequential(*layers[:-1])

    def maps(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t s h w"]:
        """Weight of each place for each learned token: summing to 1 over a time step (1.1), or each in 0..1 (1.0)."""
        t, h, w = x.shape[1:4]
        if self.version == "1.1":
            weights = rearrange(self.weigh(self.norm(x)), "b t h w s -> b t s (h w)").softmax(dim=-1)
            return rearrange(weights, "b t s (h w) -> b t s h w", h=h, w=w)
        logits = self.weigh(rearrange(self.norm(x), "b t h w d -> (b t) d h w"))
        return rearrange(torch.sigmoid(logits), "(b t) s h w -> b t s h w", t=t)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t s d"]:
        maps = self.maps(x)
        if self.mean:
            maps = maps / (x.shape[2] * x.shape[3])
        return einsum(maps, x, "b t s h w, b t h w d -> b t s d")


class TokenFuser(nn.Module):
    """Brings learned tokens back to the grid that they came from; the caller adds the result to the grid.

    The tokens are mixed with each other (LayerNorm, a linear layer over the token axis, LayerNorm), and each place
    takes a sum of them weighted by sigmoid(MLP(LayerNorm(grid))). Ryoo et al., TokenLearner, arXiv 2106.11297,
    section 2.2. The mixing weights start at zero, as in the authors' code, so at first nothing is added to the grid.
    `use_normalization`: with the norms before and behind the mixing; that of the grid stays in any case.
    """

    def __init__(
        self,
        width: int,
        *,
        tokens: int,
        bottleneck: int = 64,
        use_normalization: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.use_normalization = use_normalization
        self.before = nn.LayerNorm(width, eps=NORM_EPS) if use_normalization else nn.Identity()
        self.mix = nn.Linear(tokens, tokens)
        self.behind = nn.LayerNorm(width, eps=NORM_EPS) if use_normalization else nn.Identity()
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.weigh = MLP(width, hidden=bottleneck, out=tokens, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, tokens: Float[Tensor, "b t s d"], grid: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        mixed = self.mix(rearrange(self.before(tokens), "b t s d -> b t d s"))
        mixed = self.behind(rearrange(mixed, "b t d s -> b t s d"))
        maps = torch.sigmoid(self.weigh(self.norm(grid)))
        return self.dropout(einsum(maps, mixed, "b t h w s, b t s d -> b t h w d"))
