"""Probes with attention on the tokens of a frozen encoder: what of the tokens they see, and how they are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from vidtok.choices import TokenProbeKind
from vidtok.nn.attentive_probe import AttentiveProbe, FrameOrderProbe
from vidtok.nn.position import Grid
from vidtok.nn.reduce_tokens import Reduction
from vidtok.nn.token_probe import TokenLearnerProbe

WIDTH, LEARNED, BLOCKS = 128, 8, 4
MOST_HEADS = 16


@dataclass(frozen=True, kw_only=True)
class TokenProbe:
    """What a kind of probe sees of each time step's tokens."""

    reduction: Reduction
    needs_grid: bool = False
    """It takes rows and columns apart, `b t h w d`."""
    words: str


TOKEN_PROBES: Mapping[TokenProbeKind, TokenProbe] = MappingProxyType(
    {
        "attentive": TokenProbe(
            reduction=Reduction(form="cells", side=2),
            words="a class token looks at four cells of each frame, which knows its place in time (STEP)",
        ),
        "token_learner": TokenProbe(
            reduction=Reduction(form="full"), needs_grid=True, words="eight learned tokens of each frame and a block"
        ),
        "four_blocks": TokenProbe(
            reduction=Reduction(form="cells", side=2),
            words="three blocks and a learned query, as V-JEPA 2 is probed; blind to order; for wide encoders, a GPU",
        ),
    }
)


def make_probe(kind: TokenProbeKind, token_width: int, *, grid: Grid, classes: int) -> nn.Module:
    """A new probe, with its fixed settings, for tokens of this width on a grid of so many time steps."""
    steps = grid[0]
    if kind == "attentive":
        return FrameOrderProbe(token_width, classes=classes, frames=steps, width=WIDTH)
    if kind == "token_learner":
        return TokenLearnerProbe(token_width, classes=classes, frames=steps, tokens=LEARNED, width=WIDTH)
    heads = next(heads for heads in range(MOST_HEADS, 0, -1) if token_width % heads == 0)
    return AttentiveProbe(token_width, classes=classes, heads=heads, depth=BLOCKS)
