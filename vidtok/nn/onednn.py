"""Activations and sums inside of products, by oneDNN's post-ops, on x86 processors: the only module that calls them.

`torch.ops.mkldnn._linear_pointwise` and `_convolution_pointwise` are what `torch.compile` puts in on processors. They
are private to PyTorch: they know no gradients, no autocast and no export, and may go. `why_not` tries one of each and
says why they cannot be used here; `vidtok.nn.folded` is the same by public operations.
"""

import functools
import platform
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.nn.conv import GridConv, as_grid, as_pictures
from vidtok.nn.folded import Activation, FoldedConv, FoldedLinear

POST_OPS: dict[Activation, tuple[str, str]] = {
    "none": ("none", ""),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
}


@functools.cache
def why_not() -> str | None:
    """Why these operations cannot be used on this machine, in words; None where they can."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"this processor is no x86 ({platform.machine()})"
    if not torch.backends.mkldnn.is_available():
        return "this PyTorch was built without oneDNN"
    try:
        with torch.inference_mode():
            x = torch.ones(1, 2, 3, 4)
            layer, conv = nn.Linear(4, 4, bias=False), GridConv(4, 4, bias=False)
            wrong = (FusedLinear(layer)(x, x) - FoldedLinear(layer)(x, x)).abs().max()
            grid = x[None]
            wrong = max(wrong, (FusedConv(conv)(grid, grid) - FoldedConv(conv)(grid, grid)).abs().max())
    except (AttributeError, RuntimeError, TypeError) as error:
        return f"this PyTorch ({torch.__version__}) has other operations: {str(error).splitlines()[0]}"
    return None if float(wrong) < 1e-4 else f"their results are wrong here, by {float(wrong):.1e}"


def why_not_for(module: nn.Module) -> str | None:
    """Why these operations cannot stand in for a module's layers, in words; None where they can."""
    kinds = {(p.device.type, p.dtype) for p in module.parameters() if p.is_floating_point()}
    if kinds - {("cpu", torch.float32)}:
        found = ", ".join(sorted(f"{str(dtype).removeprefix('torch.')} on {device}" for device, dtype in kinds))
        return f"they are for float32 on a processor, and the weights are {found}"
    return why_not()


class FusedLinear(nn.Module):
    """activation(W x + b), or W x + b + added: `FoldedLinear` in one operation, from reordered weights."""

    def __init__(self, layer: nn.Linear, *, activation: Activation = "none"):
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.activation: Activation = activation
        # No parameter and no buffer: what moves or converts those cannot do it to reordered weights.
        self.reordered = _ops()._reorder_linear_weight(layer.weight.detach().contiguous())
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """The weights in their own order."""
        return self.reordered.to_dense()

    def forward(self, x: Float[Tensor, "*axes d"], added: Tensor | None = None) -> Float[Tensor, "*axes e"]:
        x = x.to(torch.float32)
        if added is not None and self.activation == "none" and added.is_contiguous():
            return _ops()._linear_pointwise.binary(x, added, self.reordered, self.bias, "add")
        name, how = POST_OPS[self.activation]
        y = _ops()._linear_pointwise.default(x, self.reordered, self.bias, name, [], how)
        return y if added is None else y.add_(added)


class FusedConv(FoldedConv):
    """`FoldedConv` with activation or sum inside, where its kernel has an extent of one in time."""

    def __init__(self, conv: GridConv, *, activation: Activation = "none"):
        super().__init__(conv, activation=activation)

    def forward(
        self, x: Float[Tensor, "b t h w d"], added: Tensor | None = None
    ) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        (kt, _, _), (st, sh, sw) = self.kernel_size, self.stride
        if kt > 1:
            return super().forward(x, added)
        x, taps, padding, steps = self.padded(x.to(torch.float32))
        seen, weight = as_pictures(x[:, ::st]), taps[0]
        where: Any = (list(padding), [sh, sw], [1, 1], self.groups)
        if added is not None and self.activation == "none":
            y = _ops()._convolution_pointwise.binary(
                seen, as_pictures(added), weight, self.bias, *where, "add", 1.0, None, [], None
            )
            return as_grid(y, steps=steps)
        name, how = POST_OPS[self.activation]
        y = as_grid(_ops()._convolution_pointwise.default(seen, weight, self.bias, *where, name, [], how), steps=steps)
        return y if added is None else y.add_(added)


def _ops() -> Any:
    # Overloads are named: by arguments alone, torch tries the wrong one first, and reads a bias as a list of numbers.
    return torch.ops.mkldnn
