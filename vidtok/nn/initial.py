"""Initial weights as JAX code draws them."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

DEVIATION = 0.87962566103423978
"""Of the standard normal distribution between -2 and 2."""


def lecun_normal_(weight: Float[Tensor, "out *axes"]) -> Float[Tensor, "out *axes"]:
    """Fill a weight from N(0, 1 / fan_in), cut off at two deviations, as flax does by default; it comes back.

    Drawn through the inverse of the distribution function: u uniform between that of -2 and of 2, then √2 erf⁻¹(2u - 1)
    (LeCun et al., Efficient BackProp, 1998). The numbers are those of timm's function of this name;
    `torch.nn.init.trunc_normal_` draws others in each of its versions.
    """
    fan_in, _ = nn.init._calculate_fan_in_and_fan_out(weight)
    low, high = ((1 + math.erf(bound / math.sqrt(2))) / 2 for bound in (-2, 2))
    with torch.no_grad():
        weight.uniform_(2 * low - 1, 2 * high - 1).erfinv_().mul_(math.sqrt(2)).clamp_(-2, 2)
        return weight.mul_(math.sqrt(1 / fan_in) / DEVIATION)
