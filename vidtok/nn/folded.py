"""Linear layers and convolutions for inference alone: norms folded into their weights, an activation or a sum behind.

They are what `for_inference` makes of a network's layers, see `vidtok.nn.inference`; the weights are constants. What
stands here uses PyTorch's public operations only, and can be exported; `vidtok.nn.onednn` has the same two layers with
the activation and the sum inside of the product, for processors.
"""

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.conv import GridBatchNorm, GridConv, as_grid, as_pictures, same_padding

Activation = Literal["none", "relu", "silu", "gelu", "gelu_tanh"]

ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "none": lambda x: x,
        "relu": F.relu,
        "silu": F.silu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    }
)

Norm = GridBatchNorm | nn.modules.batchnorm._BatchNorm
Affine = tuple[Float[Tensor, "d"], Float[Tensor, "d"]]


def activation_of(module: nn.Module) -> Activation | None:
    """The name of an activation, or None for a layer that is none of these."""
    if isinstance(module, nn.GELU):
        return "gelu" if module.approximate == "none" else "gelu_tanh"
    kinds: dict[type, Activation] = {nn.ReLU: "relu", nn.SiLU: "silu", nn.Identity: "none"}
    return kinds.get(type(module))


def affine_of(norm: Norm) -> Affine:
    """What a batch norm does by its running statistics, as x · scale + shift, in float64.

    Rounded to the weights' precision only behind the folding, so that it happens once.
    """
    inner = norm.norm if isinstance(norm, GridBatchNorm) else norm
    mean, var = inner.running_mean, inner.running_var
    assert mean is not None
    assert var is not None
    scale = (var.double() + inner.eps).rsqrt()
    if inner.weight is not None:
        scale = scale * inner.weight.double()
    shift = -mean.double() * scale
    return scale, shift if inner.bias is None else shift + inner.bias.double()


@torch.no_grad()
def fold_before(affine: Affine, layer: nn.Linear) -> nn.Linear:
    """A linear layer that does x · scale + shift first: W (s x + t) + b = (W s) x + (W t + b)."""
    scale, shift = affine
    weight = layer.weight.double()
    bias = weight @ shift
    return _linear(weight * scale, bias if layer.bias is None else bias + layer.bias.double(), like=layer)


@torch.no_grad()
def fold_behind(layer: nn.Linear, affine: Affine) -> nn.Linear:
    """A linear layer that does x · scale + shift behind: s (W x + b) + t."""
    scale, shift = affine
    bias = shift if layer.bias is None else shift + layer.bias.double() * scale
    return _linear(layer.weight.double() * scale[:, None], bias, like=layer)


def scale_of(scale: Tensor | None, layer: nn.Linear) -> nn.Linear:
    """A linear layer whose output is multiplied by a layer scale."""
    return layer if scale is None else fold_behind(layer, (scale.double(), torch.zeros_like(scale.double())))


def _linear(weight: Tensor, bias: Tensor, *, like: nn.Linear) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    made.weight = nn.Parameter(weight.to(like.weight.dtype), requires_grad=False)
    made.bias = nn.Parameter(bias.to(like.weight.dtype), requires_grad=False)
    return made


@torch.no_grad()
def fold_conv(conv: nn.modules.conv._ConvNd, affine: Affine) -> None:
    """Put the norm behind a convolution into its weights, in place."""
    scale, shift = affine
    if conv.bias is not None:
        shift = shift + conv.bias.double() * scale
    weight = conv.weight.double() * scale.view(-1, *(1,) * (conv.weight.dim() - 1))
    conv.bias = nn.Parameter(shift.to(conv.weight.dtype), requires_grad=False)
    conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)


@torch.no_grad()
def fold_residual(conv: GridConv) -> GridConv:
    """The sum x + conv(x) as one convolution, of one that keeps channels apart: 1 more in the middle of its kernel."""
    assert conv.groups == conv.in_channels == conv.out_channels
    kt, kh, kw = conv.kernel_size
    made = copy.deepcopy(conv)
    made.weight[:, 0, kt // 2, kh // 2, kw // 2] += 1
    return made


class FoldedLinear(nn.Module):
    """activation(W x + b) + added"""

    def __init__(self, layer: nn.Linear, *, activation: Activation = "none"):
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight = nn.Parameter(layer.weight.detach(), requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach(), requires_grad=False)
        self.activation: Activation = activation

    def forward(self, x: Float[Tensor, "*axes d"], added: Tensor | None = None) -> Float[Tensor, "*axes e"]:
        y = ACTIVATIONS[self.activation](F.linear(x, self.weight, self.bias))
        return y if added is None else y + added


class FoldedConv(nn.Module):
    """activation(conv(x)) + added on a grid whose channels come last, by the weights of a `GridConv`.

    Zeros in space belong to the convolution, so that no copy of the grid is filled up: TensorFlow's (0, 1) around a
    kernel of 3 becomes (1, 1) around one of 4, whose first row and column are zeros.
    """

    def __init__(self, conv: GridConv, *, activation: Activation = "none"):
        super().__init__()
        self.kernel_size, self.stride, self.groups, self.same = conv.kernel_size, conv.stride, conv.groups, conv.same
        taps = conv.weight.detach().unbind(2)
        last = torch.channels_last
        self.taps = nn.ParameterList(
            nn.Parameter(tap.contiguous(memory_format=last), requires_grad=False) for tap in taps
        )
        # Where channels are kept apart the larger kernel costs less than the copy; elsewhere more.
        self.larger = nn.ParameterList()
        if self.same and self.groups == conv.in_channels and self.kernel_size[1:] == (3, 3):
            self.larger.extend(
                nn.Parameter(F.pad(tap, (1, 0, 1, 0)).contiguous(memory_format=last), requires_grad=False)
                for tap in taps
            )
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach(), requires_grad=False)
        self.activation: Activation = activation

    def forward(
        self, x: Float[Tensor, "b t h w d"], added: Tensor | None = None
    ) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        x, taps, padding, steps = self.padded(x)
        (kt, _, _), (st, sh, sw) = self.kernel_size, self.stride
        y = None
        for tap in range(kt):
            seen = as_pictures(x[:, tap : tap + (steps - 1) * st + 1 : st])
            bias = self.bias if tap == 0 else None
            part = F.conv2d(seen, taps[tap], bias, stride=(sh, sw), padding=padding, groups=self.groups)
            y = part if y is None else y + part
        assert y is not None
        y = as_grid(ACTIVATIONS[self.activation](y), steps=steps)
        return y if added is None else y + added

    def padded(
        self, x: Float[Tensor, "b t h w d"]
    ) -> tuple[Float[Tensor, "b u i j d"], nn.ParameterList, tuple[int, int], int]:
        """The grid with the zeros that a convolution cannot add itself, kernels, zeros that it adds, steps to come."""
        taps = self.taps
        (kt, kh, kw), (st, sh, sw) = self.kernel_size, self.stride
        steps = (x.shape[1] - 1) // st + 1
        padding = (kh // 2, kw // 2)
        if self.same:
            rows, columns = same_padding(x.shape[2], kh, sh), same_padding(x.shape[3], kw, sw)
            if rows[0] == rows[1] and columns[0] == columns[1]:
                padding = (rows[0], columns[0])
            elif rows == columns == (0, 1) and len(self.larger):
                taps, padding = self.larger, (1, 1)
            else:
                x, padding = F.pad(x, (0, 0, *columns, *rows)), (0, 0)
        if kt > 1:
            x = F.pad(x, (0, 0, 0, 0, 0, 0, kt // 2, kt // 2))
        return x, taps, padding, steps
