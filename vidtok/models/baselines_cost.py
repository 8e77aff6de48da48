"""Multiply-adds inside the attention layers of other libraries, which do not count themselves.

Classes are known by their full names, so that counting imports nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn


def pooled(grid: Sequence[int], pool: nn.Module | None) -> list[int]:
    """A grid `t h w` behind the convolution that pools it, or as it is without one."""
    if pool is None:
        return list(grid)
    conv: Any = pool if isinstance(pool, nn.Conv3d) else pool.pool
    return [
        (size + 2 * padding - kernel) // stride + 1
        for size, padding, kernel, stride in zip(grid, conv.padding, conv.kernel_size, conv.stride, strict=True)
    ]


def mvit_products(module: Any, inputs: Sequence[Any], *, width: int) -> tuple[int, list[int], list[int]]:
    """Multiply-adds of pooling attention with a class token, and the grids of its queries and keys."""
    x, grid = inputs
    queries, keys = pooled(grid, module.pool_q), pooled(grid, module.pool_k)
    return 2 * len(x) * (math.prod(queries) + 1) * (math.prod(keys) + 1) * width, queries, keys


def mvit_v1(module: Any, inputs: Sequence[Any]) -> int:
    """Pooling attention of pytorchvideo: every query meets every key, twice."""
    return mvit_products(module, inputs, width=inputs[0].shape[-1])[0]


def mvit_v2(module: Any, inputs: Sequence[Any]) -> int:
    """Pooling attention of torchvision: beside the products, each query meets the positions of three axes."""
    width = module.output_dim
    macs, queries, keys = mvit_products(module, inputs, width=width)
    if module.rel_pos_h is not None:
        macs += len(inputs[0]) * math.prod(queries) * width * sum(keys)
    return macs


def swin_3d(module: Any, inputs: Sequence[Any]) -> int:
    """Window attention of torchvision, which uses its layers' weights without calling the layers."""
    clips, *grid, width = inputs[0].shape
    window = [min(extent, size) for extent, size in zip(module.window_size, grid, strict=True)]
    tokens = clips * math.prod(-(-size // extent) * extent for size, extent in zip(grid, window, strict=True))
    return tokens * width * (4 * width + 2 * math.prod(window))


FOREIGN: dict[str, Callable[[Any, Sequence[Any]], int]] = {
    "pytorchvideo.layers.attention.MultiScaleAttention": mvit_v1,
    "torchvision.models.video.mvit.MultiscaleAttention": mvit_v2,
    "torchvision.models.video.swin_transformer.ShiftedWindowAttention3d": swin_3d,
}


def foreign_macs(module: nn.Module, inputs: Sequence[Any]) -> int:
    """Multiply-adds that a layer of another library does by itself, beside those of its parts; 0 for other layers."""
    kind = type(module)
    count = FOREIGN.get(f"{kind.__module__}.{kind.__qualname__}")
    return 0 if count is None else count(module, inputs)
