"""The two-layer perceptron of a block."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import GELUForm
from vidtok.nn.folded import activation_of
from vidtok.nn.inference import linear_form


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x) (Hendrycks and Gimpel, arXiv 1606.08415, section 2), as CLIP's weights were made with."""

    def forward(self, x: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Mapping[GELUForm, Callable[[], nn.Module]] = MappingProxyType(
    {
        "tanh": partial(nn.GELU, approximate="tanh"),
        "erf": nn.GELU,
        "quick": QuickGELU,
        "relu": nn.ReLU,
        "silu": nn.SiLU,
    }
)


class MLP(nn.Module):
    """Linear, activation, Linear on every token, with dropout after both.

    Weights start xavier-uniform, biases N(0, 1e-6²) (Dosovitskiy et al., arXiv 2010.11929, in the authors' code).
    `gelu`: "tanh" is the approximation that JAX code uses, "erf" the exact form, "quick" x · sigmoid(1.702 x). Weights
    of other libraries may have been made with "relu" or "silu" in its place.
    """

    def __init__(self, width: int, *, hidden: int, out: int, gelu: GELUForm = "tanh", dropout: float = 0.0):
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.form: GELUForm = gelu
        self.activation = ACTIVATIONS[gelu]()
        self.contract = nn.Linear(hidden, out)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.expand, self.contract):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Float[Tensor, "*axes d"]) -> Float[Tensor, "*axes e"]:
        return self.dropout(self.contract(self.dropout(self.activation(self.expand(x)))))

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same with the activation in the product, where it can be there."""
        return MLPForm(self, fused=fused)


class MLPForm(nn.Module):
    """`MLP` for inference; `forward` adds `added` to the result."""

    def __init__(self, mlp: MLP, *, fused: bool):
        super().__init__()
        inside = activation_of(mlp.activation)
        self.expand = linear_form(mlp.expand, activation=inside or "none", fused=fused)
        self.activation = mlp.activation if inside is None else nn.Identity()
        self.contract = linear_form(mlp.contract, fused=fused)

    def forward(self, x: Float[Tensor, "*axes d"], added: Tensor | None = None) -> Float[Tensor, "*axes e"]:
        return self.contract(self.activation(self.expand(x)), added)
