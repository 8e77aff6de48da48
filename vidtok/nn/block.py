"""The pre-norm transformer block: any number of mixers one after the other, then an MLP."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.drop_path import DropPath
from vidtok.nn.inference import inference_layer
from vidtok.nn.mlp import MLP, GELUForm


class Block(nn.Module):
    """x ← x + mixer(LayerNorm(x)) for each mixer in turn, then x ← x + MLP(LayerNorm(x)).

    `drop_path` is the probability with which an example skips a branch in training. With `drop_path_rescale` the kept
    branches are divided by 1 - drop_path (Huang et al., arXiv 1603.09382, in the form common in PyTorch); without it
    they stay as they are, as in scenic's ViViT.
    """

    def __init__(
        self,
        width: int,
        *,
        mixers: Sequence[nn.Module],
        mlp_ratio: float = 4.0,
        gelu: GELUForm = "tanh",
        norm_eps: float = 1e-6,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        drop_path_rescale: bool = False,
    ):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=norm_eps) for _ in mixers)
        self.mixers = nn.ModuleList(mixers)
        self.mlp_norm = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = MLP(width, hidden=round(width * mlp_ratio), out=width, gelu=gelu, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path, scale_by_keep=drop_path_rescale)

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            x = x + self.drop_path(self.dropout(mixer(norm(x))))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same with activation and sum in the products of the MLP."""
        return BlockForm(self, fused=fused)


class BlockForm(nn.Module):
    """`Block` for inference."""

    def __init__(self, block: Block, *, fused: bool):
        super().__init__()
        self.norms, self.mlp_norm = block.norms, block.mlp_norm
        self.mixers = nn.ModuleList(inference_layer(mixer, fused=fused) for mixer in block.mixers)
        self.mlp = inference_layer(block.mlp, fused=fused)

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            x = x + mixer(norm(x))
        return self.mlp(self.mlp_norm(x), x)
