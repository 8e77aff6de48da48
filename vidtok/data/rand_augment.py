"""RandAugment and AutoAugment: chains of simple operations on pictures, drawn once for all frames of a clip."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

Pixels = UInt8[Tensor, "f c y x"]

COLOUR_OPERATIONS = (
    *("identity", "autocontrast", "equalize", "posterize", "solarize"),
    *("saturation", "contrast", "brightness", "sharpness"),
)
GEOMETRIC_OPERATIONS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
# These go either way: to more or less, to the left or the right.
SIGNED = {"saturation", "contrast", "brightness", "sharpness", *GEOMETRIC_OPERATIONS}

# What a rotated or shifted picture leaves empty becomes grey, as in the papers' code.
GREY = [128.0]

# AutoAugment's policy for ImageNet (arXiv 1805.09501, table 9): pairs of (operation, probability, level of 0 to 9).
IMAGENET_POLICY = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 0)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("equalize", 0.4, 0), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, 0)),
    (("posterize", 0.8, 5), ("equalize", 1.0, 0)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, 0), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("saturation", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, 0)),
    (("equalize", 0.0, 0), ("equalize", 0.8, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("saturation", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("saturation", 1.0, 2)),
    (("saturation", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 0)),
    (("shear_x", 0.6, 5), ("equalize", 1.0, 0)),
    (("saturation", 0.4, 0), ("equalize", 0.6, 0)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("saturation", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
)


def operate(pixels: Pixels, operation: str, strength: float) -> Pixels:
    """One operation of AutoAugment (arXiv 1805.09501, table 6) on every frame.

    A strength of 1 is the end of the operation's range there, -1 the other end of those that go either way: 30 degrees,
    a shear of 0.3, a shift by 150 / 331 of the picture, saturation, contrast, brightness and sharpness times 1.9 or
    0.1, 4 bits, all pixels inverted. More than 1 goes on to greater angles, shifts and factors; bits and inversion stop
    at their ends, and no factor falls below 0.1 (timm's rule). `autocontrast`, `equalize` and `contrast` look at each
    frame by itself. Raises ValueError for an operation of another name.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F  # imports torchvision's networks too: seconds

    height, width = pixels.shape[-2:]
    factor = max(0.1, 1 + 0.9 * strength)
    share = min(1.0, strength)
    match operation:
        case "identity":
            return pixels
        case "autocontrast":
            return F.autocontrast(pixels)
        case "equalize":
            return F.equalize(pixels)
        case "invert":
            return F.invert(pixels)
        case "posterize":
            return F.posterize(pixels, bits=8 - round(4 * share))
        case "solarize":
            return F.solarize(pixels, threshold=255 * (1 - share))
        case "saturation":
            return F.adjust_saturation(pixels, saturation_factor=factor)
        case "contrast":
            return adjust_contrast(pixels, factor)
        case "brightness":
            return F.adjust_brightness(pixels, brightness_factor=factor)
        case "sharpness":
            return F.adjust_sharpness(pixels, sharpness_factor=factor)
        case "rotate":
            return F.rotate(pixels, 30 * strength, interpolation=InterpolationMode.BILINEAR, fill=GREY)
        case "shear_x":
            return _affine(pixels, shear=(math.degrees(math.atan(0.3 * strength)), 0.0))
        case "shear_y":
            return _affine(pixels, shear=(0.0, math.degrees(math.atan(0.3 * strength))))
        case "translate_x":
            return _affine(pixels, translate=(int(150 / 331 * width * strength), 0))
        case "translate_y":
            return _affine(pixels, translate=(0, int(150 / 331 * height * strength)))
    raise ValueError(
        f"no operation {operation!r}; there are invert, {', '.join(COLOUR_OPERATIONS)} and "
        f"{', '.join(GEOMETRIC_OPERATIONS)}"
    )


def _affine(pixels: Pixels, *, translate: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0.0, 0.0)) -> Pixels:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    return F.affine(
        pixels,
        angle=0.0,
        translate=[float(pixel) for pixel in translate],
        scale=1.0,
        shear=list(shear),
        interpolation=InterpolationMode.BILINEAR,
        fill=GREY,
        center=[0.0, 0.0],
    )


def adjust_contrast(pixels: Pixels, factor: float) -> Pixels:
    """Each frame drawn towards its mean grey, or away from it: `mean + factor * (pixels - mean)`, rounded."""
    from torchvision.transforms.v2 import functional as F

    # torchvision's own takes the mean in float32, which for large pictures depends on the number of threads.
    mean = F.rgb_to_grayscale(pixels).double().mean((1, 2, 3), keepdim=True).float()
    return pixels.float().sub_(mean).mul_(factor).add_(mean).round_().clamp_(0, 255).to(pixels.dtype)


@dataclass(frozen=True, kw_only=True)
class RandAugment:
    """RandAugment (Cubuk et al., arXiv 1909.13719): `layers` operations, each drawn from all, at one magnitude.

    A `magnitude` of 10 is the full range of every operation (`operate`), as in the code of Google's papers and in timm;
    there may be more. `magnitude_std` scatters it (normal, at least 0, at most 10 or the magnitude itself), and `prob`
    is that of each drawn operation to be done at all; both are timm's additions, whose `rand-m9-mstd0.5-inc1` is
    `RandAugment(magnitude=9, magnitude_std=0.5, prob=0.5)`. With `geometric=False` no pixel moves, as in scenic's form
    for video. All frames get the same operations, of one draw. Raises ValueError for values out of range.

    The operations are the paper's 14. timm has inversion and addition to dark pixels in place of the identity, scenic
    those two and an erased square; scenic's posterize and solarize become weaker with the magnitude.
    """

    layers: int = 2
    magnitude: float | int
    magnitude_std: float | int = 0.0
    prob: float | int = 1.0
    geometric: bool = True

    def __post_init__(self):
        if self.layers < 1 or self.magnitude < 0 or self.magnitude_std < 0 or not 0 <= self.prob <= 1:
            raise ValueError(f"one layer at least, magnitudes from 0 on and a probability of 0 to 1, got {self}")

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        operations = COLOUR_OPERATIONS + GEOMETRIC_OPERATIONS if self.geometric else COLOUR_OPERATIONS
        for _ in range(self.layers):
            operation = operations[int(rng.integers(len(operations)))]
            magnitude = rng.normal(self.magnitude, self.magnitude_std)
            strength = min(max(magnitude, 0.0), max(10.0, self.magnitude)) / 10
            pixels = _maybe(pixels, operation, strength, self.prob, rng)
        return pixels


def auto_augment(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """AutoAugment (Cubuk et al., arXiv 1805.09501) with its policy for ImageNet: one of 25 pairs of operations.

    Level 9 is an operation's full range. All frames get the same operations, of one draw.
    """
    for operation, prob, level in IMAGENET_POLICY[int(rng.integers(len(IMAGENET_POLICY)))]:
        pixels = _maybe(pixels, operation, level / 9, prob, rng)
    return pixels


def _maybe(pixels: Pixels, operation: str, strength: float, prob: float | int, rng: np.random.Generator) -> Pixels:
    sign = -1 if operation in SIGNED and rng.random() < 0.5 else 1
    return operate(pixels, operation, sign * strength) if rng.random() < prob else pixels
