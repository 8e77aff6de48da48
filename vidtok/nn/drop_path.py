"""Stochastic depth."""

from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """Skips a residual branch for each example of a batch by chance, in training only.

        out = x · m, or x · m / (1 - p) with `scale_by_keep`, with m = 0 with probability p, else 1

    Huang et al., arXiv 1603.09382; the same numbers from the same generator as timm's layer of this name, which is not
    taken because whatever is imported from timm imports all of its networks, for more than torch itself takes.
    """

    def __init__(self, drop_prob: float = 0.0, *, scale_by_keep: bool = True):
        super().__init__()
        self.drop_prob = drop_prob
        self.scale_by_keep = scale_by_keep

    def forward(self, x: Float[Tensor, "b *axes"]) -> Float[Tensor, "b *axes"]:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        if self.scale_by_keep and keep > 0:
            mask.div_(keep)
        return x * mask

    def extra_repr(self) -> str:
        return f"drop_prob={self.drop_prob:.3f}"
