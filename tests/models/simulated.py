"""Kernels of bfloat16 that a test can break, on any processor."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

BF16 = torch.bfloat16


class Kernel(torch.autograd.Function):
    """An operation computed in float32 and rounded to bfloat16, as a sound kernel does; `spoil` changes its results."""

    @staticmethod
    def forward(ctx, spoil, operation, x, *weights):
        ctx.spoil, ctx.operation, x = spoil, operation, x.to(BF16).float()
        ctx.save_for_backward(x, *weights)
        with torch.autocast("cpu", enabled=False):
            return spoil("output", operation(x, *weights)).to(BF16)

    @staticmethod
    def backward(ctx, slope):
        leaves = [leaf.detach().requires_grad_() for leaf in ctx.saved_tensors]
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            gradients = torch.autograd.grad(ctx.operation(*leaves), leaves, slope.float())
        names = ("input", "weight", "bias")
        return (
            None,
            None,
            *(ctx.spoil(name, gradient.to(BF16).float()) for name, gradient in zip(names, gradients, strict=False)),
        )


def simulate(monkeypatch) -> dict[str, Callable[..., torch.Tensor]]:
    """Sound kernels for conv3d and linear; what a test puts under their names, spoil(what, value, weight), breaks them.

    `what` is "output", or "input", "weight" or "bias" for their gradients.
    """
    spoils: dict[str, Callable[..., torch.Tensor]] = {}

    def replace(name):
        plain = getattr(F, name)

        def kernel(x, weight, bias=None, *options):
            if not torch.is_autocast_enabled("cpu"):
                return plain(x, weight, bias, *options)
            spoil = spoils.get(name, lambda what, value, weight: value)

            def operation(x, weight, bias=None):
                return plain(x, weight, bias, *options)

            weights = [weight] if bias is None else [weight, bias]
            return Kernel.apply(lambda what, value: spoil(what, value, weight), operation, x, *weights)

        monkeypatch.setattr(F, name, kernel)

    replace("conv3d")
    replace("linear")
    return spoils
