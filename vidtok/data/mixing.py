"""Mixup and CutMix: clips of a batch mixed with each other, and their targets with them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vidtok.types import Box


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Every clip mixed with its partner, the clip at its place in the reversed batch, in the share of 1 - lam.

        mixup   (Zhang et al., arXiv 1710.09412)   pixels = lam * own + (1 - lam) * partner's
        CutMix  (Yun et al., arXiv 1905.04899)     a box of 1 - lam of the area is the partner's, in all frames
        both                                       targets = lam * own + (1 - lam) * partner's

    lam ~ Beta(alpha, alpha), one for the batch; for CutMix it becomes the true share of what is left of the clip, as
    the box may end at the picture's edge. A batch is mixed with probability `prob`; where both alphas are set, CutMix
    is chosen with probability `switch_prob`. An alpha of 0 switches its kind off. The conventions are those of timm and
    scenic, which mix normalised floats; here the pixels stay uint8: they are mixed in float32 and rounded, so that each
    differs by half a grey level at most.

    Targets are dense: one row of class weights for each clip, smoothed or not, of one label or several. The clip in the
    middle of an odd batch, and one alone, is its own partner and stays as it is. Runs on the device of the batch; the
    draws come from the caller's generator alone. Raises ValueError where nothing is switched on, for a negative alpha
    and for a probability outside 0 to 1.
    """

    mixup_alpha: float | int = 0.0
    cutmix_alpha: float | int = 0.0
    prob: float | int = 1.0
    switch_prob: float | int = 0.5

    def __post_init__(self):
        if min(self.mixup_alpha, self.cutmix_alpha) < 0 or max(self.mixup_alpha, self.cutmix_alpha) == 0:
            raise ValueError(f"alphas are 0 (off) or more, and one at least is on, got {self}")
        if not (0 <= self.prob <= 1 and 0 <= self.switch_prob <= 1):
            raise ValueError(f"prob and switch_prob are probabilities from 0 to 1, got {self}")

    def __call__(
        self, pixels: UInt8[Tensor, "b f c y x"], targets: Float[Tensor, "b k"], rng: np.random.Generator
    ) -> tuple[UInt8[Tensor, "b f c y x"], Float[Tensor, "b k"]]:
        if rng.random() >= self.prob:
            return pixels, targets
        cut = self.cutmix_alpha > 0 and (self.mixup_alpha == 0 or rng.random() < self.switch_prob)
        alpha = self.cutmix_alpha if cut else self.mixup_alpha
        lam = rng.beta(alpha, alpha)
        if cut:
            height, width = pixels.shape[-2:]
            centre = int(rng.integers(height)), int(rng.integers(width))
            box = mixed_box(height, width, lam=lam, centre=centre)
            lam = 1 - box.height * box.width / (height * width)
            pixels = paste(pixels, box)
        else:
            pixels = blend(pixels, lam)
        return pixels, lam * targets + (1 - lam) * targets.flip(0)


def mixed_box(height: int, width: int, *, lam: float, centre: tuple[int, int]) -> Box:
    """CutMix's box: sqrt(1 - lam) of both sides around `centre` (row, column), cut off at the picture's edges."""
    share = math.sqrt(1 - lam)
    (top, bottom), (left, right) = (
        (max(0, middle - int(side * share) // 2), min(side, middle + (int(side * share) + 1) // 2))
        for side, middle in ((height, centre[0]), (width, centre[1]))
    )
    return Box(top=top, left=left, height=bottom - top, width=right - left)


def paste(pixels: UInt8[Tensor, "b f c y x"], box: Box) -> UInt8[Tensor, "b f c y x"]:
    """Every clip with the box of its partner."""
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    out = pixels.clone()
    out[..., rows, columns] = pixels.flip(0)[..., rows, columns]
    return out


def blend(pixels: UInt8[Tensor, "b f c y x"], lam: float) -> UInt8[Tensor, "b f c y x"]:
    """lam of every clip and 1 - lam of its partner, rounded to whole grey levels."""
    out = torch.empty_like(pixels)
    # A clip at a time: the whole batch in float32 would need four times the memory of its pixels, twice.
    for mixed, own, partner in zip(out, pixels, pixels.flip(0), strict=True):
        mixed.copy_(torch.lerp(partner.float(), own.float(), lam).round_())
    return out
