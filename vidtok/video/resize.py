"""Pictures of another size."""

import platform

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor


def resized(pixels: UInt8[Tensor, "f c y x"], y: int, x: int) -> UInt8[Tensor, "f c {y} {x}"]:
    """Pictures scaled to `y` rows and `x` columns, bilinear and antialiased; themselves where they are of that size.

    The pixels are those of torchvision's `resize`, which is not taken because torchvision's import, with torch's
    compiler behind it, takes every worker of a loader as long as torch itself.
    """
    if pixels.shape[-2:] == (y, x):
        return pixels
    if not pixels.numel():
        return pixels.new_empty((*pixels.shape[:2], y, x))
    if _has_byte_kernel():
        return F.interpolate(pixels, size=(y, x), mode="bilinear", align_corners=False, antialias=True)
    scaled = F.interpolate(pixels.float(), size=(y, x), mode="bilinear", align_corners=False, antialias=True)
    return scaled.round_().to(torch.uint8)


def _has_byte_kernel() -> bool:
    """Whether torch scales bytes as fast as floats here; elsewhere it goes pixel by pixel."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") or platform.machine() in ("aarch64", "arm64")
