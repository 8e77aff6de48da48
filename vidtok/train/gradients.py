"""What the gradient is like in each parameter group."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from vidtok.train.fsdp import full


def group_names(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short name for each of an optimizer's groups: `decay`, `no_decay_x0.75`, `decay_x10_new`.

    By weight decay, by the factor of the rate where it is not 1, and by whether initial weights came to them;
    with a number behind it where two would be the same.
    """
    names: list[str] = []
    for group in groups:
        factor = group.get("lr_scale", 1.0)
        name = "decay" if group["weight_decay"] else "no_decay"
        name += "" if factor == 1.0 else f"_x{factor:.3g}"
        name += "_new" if group.get("new") else ""
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names


def gradient_norms(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The norm of the gradient of each group, by its name. Where weights are split, all processes call it together."""
    norms = []
    for group in optimizer.param_groups:
        norm = nn.utils.get_total_norm([p.grad for p in group["params"] if p.grad is not None])
        norms.append(float(full(norm)))
    return dict(zip(group_names(optimizer.param_groups), norms, strict=True))


def group_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate of each group, by its name."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return dict(zip(group_names(optimizer.param_groups), rates, strict=True))
