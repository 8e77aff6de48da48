"""What a network cannot do without: its products, convolutions and attentions, by themselves, for bench_models."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
PRODUCTS = (
    *(ATEN.mm, ATEN.addmm, ATEN.bmm, ATEN.baddbmm, ATEN.convolution, ATEN.convolution_backward),
    *(ATEN._scaled_dot_product_flash_attention_for_cpu, ATEN._scaled_dot_product_flash_attention_for_cpu_backward),
)


@dataclass(frozen=True)
class Like:
    """A tensor that a product was given: its shape, where its values lay, and their type."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def made(self) -> Tensor:
        """Random values in the same order in memory, of a size that keeps results finite."""
        places = 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        values = torch.zeros(places, dtype=self.dtype)
        if values.is_floating_point():
            values.normal_(std=0.1)
        return values.as_strided(self.shape, self.stride)


class Recorder(TorchDispatchMode):
    """Notes each product with what it was given, tensors by their looks alone."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Any, list[Any], dict[str, Any]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func.overloadpacket in PRODUCTS:
            self.calls.append((func, [looks(arg) for arg in args], {key: looks(arg) for key, arg in given.items()}))
        return func(*args, **given)


def looks(arg: Any) -> Any:
    """How a tensor looks; other arguments as they are."""
    return Like(tuple(arg.shape), arg.stride(), arg.dtype) if isinstance(arg, Tensor) else arg


def products_of(call: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A call that does the products of another, one after the other, and gives the last one's result.

    Each has tensors of the same shapes and strides as there, which are made now; those that look alike are one.
    """
    with Recorder() as recorder:
        call()
    there = functools.cache(Like.made)

    def tensor(arg: Any) -> Any:
        return there(arg) if isinstance(arg, Like) else arg

    calls = [
        (func, [tensor(arg) for arg in args], {key: tensor(arg) for key, arg in more.items()})
        for func, args, more in recorder.calls
    ]

    @torch.no_grad()
    def run() -> Tensor:
        result: Any = torch.zeros(())
        for func, args, more in calls:
            result = func(*args, **more)
        return result if isinstance(result, Tensor) else result[0]

    return run
