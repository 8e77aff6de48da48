"""Augmentation of training clips after the crop: one draw for all frames, uint8 in and uint8 out."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vidtok.data.rand_augment import RandAugment, adjust_contrast, auto_augment
from vidtok.data.transforms import random_box

Pixels = UInt8[Tensor, "f c y x"]


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Colour jitter, loss of colour, AutoAugment or RandAugment, and random erasing, in this order; default: nothing.

    The draws come from the caller's generator alone, and all frames of a clip get the same ones. Raises ValueError for
    a probability outside 0 to 1, and for both AutoAugment and RandAugment.
    """

    color_jitter_prob: float | int = 0.0
    grey_prob: float | int = 0.0
    auto_augment: bool = False
    rand_augment: RandAugment | None = None
    erase_prob: float | int = 0.0

    def __post_init__(self):
        for name in ("color_jitter_prob", "grey_prob", "erase_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1, got {getattr(self, name)}")
        if self.auto_augment and self.rand_augment is not None:
            raise ValueError("auto_augment and rand_augment are two policies for the same clip: choose one")

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        if rng.random() < self.color_jitter_prob:
            pixels = color_jitter(pixels, rng)
        if rng.random() < self.grey_prob:
            from torchvision.transforms.v2 import functional as F  # imports torchvision's networks too: seconds

            pixels = F.rgb_to_grayscale(pixels, num_output_channels=3)
        if self.auto_augment:
            pixels = auto_augment(pixels, rng)
        if self.rand_augment is not None:
            pixels = self.rand_augment(pixels, rng)
        if rng.random() < self.erase_prob:
            pixels = erase(pixels, rng)
        return pixels


def color_jitter(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """ViViT's colour jitter (arXiv 2103.15691; the ranges from scenic's code): four changes in this order.

        brightness  + U(-32, 32) grey levels
        saturation  x U(0.6, 1.4), away from grey
        contrast    x U(0.6, 1.4), away from each frame's mean
        hue         + U(-0.2, 0.2) of the circle

    scenic changes saturation in HSV and contrast around the mean of each channel, in floating point with one clamp at
    the end; here saturation and contrast are those of torchvision, and every step is rounded to whole grey levels.
    """
    from torchvision.transforms.v2 import functional as F

    brightness, hue = round(rng.uniform(-32, 32)), rng.uniform(-0.2, 0.2)
    saturation, contrast = rng.uniform(0.6, 1.4, size=2).tolist()
    pixels = pixels.to(torch.int16).add_(brightness).clamp_(0, 255).to(torch.uint8)
    pixels = F.adjust_saturation(pixels, saturation_factor=saturation)
    return F.adjust_hue(adjust_contrast(pixels, contrast), hue_factor=hue)


def erase(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Random erasing (Zhong et al., arXiv 1708.04896): one box of every frame becomes noise.

    The box takes 0.02 to 1/3 of the picture, with sides in a ratio of 0.3 to 3.3 (timm's ranges; the paper's end at
    0.4). Each of its values is uniform in 0 to 255, as in the paper; timm's are normal, after normalisation. Box and
    noise are the same in all frames.
    """
    from torchvision.transforms.v2 import functional as F

    channels, height, width = pixels.shape[-3:]
    box = random_box(height, width, rng, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3), flip=False)
    noise = torch.from_numpy(rng.integers(256, size=(channels, box.height, box.width), dtype=np.uint8))
    return F.erase(pixels, box.top, box.left, box.height, box.width, noise)
