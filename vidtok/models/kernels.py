"""Whether the kernels of low precision work for a network on this processor, and a way round those that do not.

Kernels are chosen by processor, library and shape, and some were broken. Where a processor has AVX512's bfloat16 and no
AMX, oneDNN's weight gradient of a convolution reads memory that nobody wrote: `Conv3d(c, d, (k, 1, 1), padding=(k // 2,
0, 0))` on t time steps with 1 < t < k, of any width (16 channels and one place are enough), and `Conv2d(256, 256, 7,
padding=3)` on 2 x 2 places, whose numbers are finite and wrong (torch 2.14.1). Processors with AVX2's bfloat16 have no
bfloat16 gradients of convolutions at all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd

CHECKED = (_ConvNd, nn.Linear)
"""Where nearly all arithmetic of a network is, and none of them has a state that a trial would change."""

TRIES = 2
"""A kernel that reads memory which nobody wrote gives right numbers now and then."""

FAR = 0.1
"""An error, as a share of the norm, that no rounding gives: bfloat16 has 0.004 for each number."""

Layer: TypeAlias = tuple[str, nn.Module, Tensor]


def avoid_broken_kernels(model: nn.Module, clips: Tensor, *, dtype: torch.dtype | None, backward: bool) -> list[str]:
    """Let every convolution and linear layer compute in float32 whose kernel of `dtype` is broken here, in place.

    `clips` are some, of any content, as the model gets them, on its device; their shape decides which kernels are tried
    out. `dtype` is that of autocast, None for no autocast, where nothing is done; with `backward` gradients are tried
    as well. What a trial gives is held against float32. Returns a line for each kind of layer that was broken, for the
    log. The model's weights, gradients and states stay as they are, and so do torch's generators.
    """
    if dtype is None:
        return []
    lines: list[str] = []
    kinds: dict[tuple[object, ...], list[Layer]] = {}
    with as_in_evaluation(model):
        for name, layer, x in layer_inputs(model, clips, dtype=dtype):
            kinds.setdefault((type(layer), repr(layer), x.shape, x.stride()), []).append((name, layer, x))
    for (name, layer, x), *others in kinds.values():
        fault = find_fault(layer, x, device=clips.device, dtype=dtype, backward=backward)
        if fault is None:
            continue
        for _, alike, _ in ((name, layer, x), *others):
            alike.forward = partial(in_float32, alike.forward)
        more = f" and {len(others)} layers like it" if others else ""
        shape = " x ".join(map(str, x.shape))
        lines.append(
            f"{name}{more}, {layer} on {shape}: {fault} in {str(dtype).removeprefix('torch.')} on this processor "
            f"(torch {torch.__version__}); computed in float32 instead"
        )
    return lines


def in_float32(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A layer's forward pass, and with it the backward pass, as if there were no autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.float())


@contextmanager
def as_in_evaluation(model: nn.Module) -> Iterator[None]:
    """All modules in evaluation state, and each as it was at the end: those of frozen norms differ from the rest."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@torch.no_grad()
def layer_inputs(model: nn.Module, clips: Tensor, *, dtype: torch.dtype) -> list[Layer]:
    """Every convolution and linear layer with the form, on `meta`, of what it gets in its first call."""
    found: dict[str, Layer] = {}

    def note(name: str, layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.setdefault(name, (name, layer, given[0].to("meta")))

    hooks = [
        module.register_forward_pre_hook(partial(note, name))
        for name, module in model.named_modules()
        if isinstance(module, CHECKED)
    ]
    try:
        with torch.autocast(clips.device.type, dtype=dtype):
            model(clips)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())


def find_fault(layer: nn.Module, x: Tensor, *, device: torch.device, dtype: torch.dtype, backward: bool) -> str | None:
    """What is wrong with the layer's results on inputs of the form of `x`, in words; None for nothing."""
    generator = torch.Generator().manual_seed(0)

    def noise(like: Tensor, scale: float = 1.0) -> Tensor:
        values = torch.randn(like.shape, generator=generator) * scale
        return torch.empty_strided(like.shape, like.stride(), device=device).copy_(values)

    weights = {name: noise(weight, max(weight[0].numel(), 1) ** -0.5) for name, weight in layer.named_parameters()}
    given = noise(x)
    slope = noise(results(layer, given, weights)["output"]) if backward else None
    want = results(layer, given, weights, slope=slope)
    for _ in range(TRIES):
        try:
            got = results(layer, given, weights, slope=slope, dtype=dtype)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            return f"the kernel fails ({str(error).splitlines()[0]})"
        for what, value in got.items():
            if not bool(value.isfinite().all()):
                return f"the {what} is not finite"
            error = (value.float() - want[what]).norm() / want[what].norm()
            if bool(error > FAR):
                return f"the {what} is {float(error):.0%} away from that of float32"
    return None


def results(
    layer: nn.Module,
    x: Tensor,
    weights: Mapping[str, Tensor],
    *,
    slope: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> dict[str, Tensor]:
    """The layer's output with these weights under autocast to `dtype`; with `slope`, that of a loss, its gradients."""
    leaves = {"input": x, **weights}
    leaves = {name: leaf.detach().requires_grad_(slope is not None) for name, leaf in leaves.items()}
    with (
        torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None),
        torch.set_grad_enabled(slope is not None),
    ):
        out = functional_call(layer, {name: leaves[name] for name in weights}, (leaves["input"],))
    found = {"output": out.detach()}
    if slope is not None:
        gradients = torch.autograd.grad(out, list(leaves.values()), slope.to(out.dtype))
        found |= {f"gradient of the {name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    return found
