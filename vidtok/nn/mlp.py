"""The two-layer perceptron of a block."""

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import GELUForm


class MLP(nn.Module):
    """Linear, GELU, Linear on every token, with dropout after both.

    Weights start xavier-uniform, biases N(0, 1e-6²) (Dosovitskiy et al., arXiv 2010.11929, in the authors' code).
    `gelu`: "tanh" is the approximation that JAX code uses, "erf" the exact form.
    """

    def __init__(self, width: int, *, hidden: int, out: int, gelu: GELUForm = "tanh", dropout: float = 0.0):
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.activation = nn.GELU(approximate="tanh" if gelu == "tanh" else "none")
        self.contract = nn.Linear(hidden, out)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.expand, self.contract):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Float[Tensor, "*axes d"]) -> Float[Tensor, "*axes e"]:
        return self.dropout(self.contract(self.dropout(self.activation(self.expand(x)))))
