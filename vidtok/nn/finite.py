"""Numbers that are none: the first of a model's tensors that holds an infinity or a NaN."""

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.no_grad()
def first_not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor with a value that is not finite; the empty text where there is none.

    Each device is waited for once.
    """
    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point() or tensor.is_complex()}
    flags: dict[str, Tensor] = {name: tensor.isfinite().all() for name, tensor in floats.items()}
    wrong: set[str] = set()
    for device in {flag.device for flag in flags.values()}:
        names = [name for name, flag in flags.items() if flag.device == device]
        fine = torch.stack([flags[name] for name in names]).tolist()
        wrong |= {name for name, ok in zip(names, fine, strict=True) if not ok}
    return next((name for name in floats if name in wrong), "")
