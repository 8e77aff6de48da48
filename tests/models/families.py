"""Tiny members of the three hierarchical families, for images and for clips."""

import torch

from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT
from vidtok.models.stvit import STViT

TINY = {
    "stvit": (
        STViT,
        {
            "widths": (8, 16, 24, 32),
            "depths": (1, 1, 2, 1),
            "heads": (1, 2, 3, 4),
            "cells": ((1, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1)),
            "projection": 48,
            "layer_scale": (None, 0.5, None, 0.5),
        },
    ),
    "maxvit": (
        MaxViT,
        {"stem": 8, "widths": (8, 16, 24, 32), "depths": (1, 1, 2, 1), "head_width": 8, "window": (1, 2, 2)},
    ),
    "casvit": (CASViT, {"widths": (8, 12, 16, 20), "depths": (1, 1, 2, 1)}),
}
OVER_TIME = {
    "stvit": {"cells": ((2, 4, 4), (2, 2, 2), (1, 1, 1), (1, 1, 1))},
    "maxvit": {"window": (2, 2, 2)},
    "casvit": {},
}
"""What makes a family's attention reach over time, beside temporal kernels."""


def tiny(family: str, **options):
    """A network in float64 and eval mode, every parameter and running statistic away from where it starts."""
    torch.manual_seed(0)
    cls, sizes = TINY[family]
    network = cls(classes=5, **{"size": 64, **sizes, **options}).double().eval()
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point():
                fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
                tensor.add_(torch.randn_like(tensor), alpha=0.1 if tensor.dim() < 2 else 0.7 * fan_in**-0.5)
    return network


def clips(frames: int, *, size: int = 64, count: int = 1, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, frames, 3, size, size, dtype=torch.float64, generator=generator)
