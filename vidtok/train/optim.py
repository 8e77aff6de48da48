"""Optimizer and schedule of a run, from timm and torch. timm is imported where they are made, which takes seconds."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch

from vidtok.choices import ScheduleKind
from vidtok.errors import ConfigError

FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
"""Optimizers with a kernel of torch for a whole step, on processors and on GPUs."""


@runtime_checkable
class Schedule(Protocol):
    """What timm's schedules promise a training loop."""

    def step_update(self, num_updates: int) -> object:
        """Set the rates of the step of this number, from 0."""


def scaled_rate(lr: float, *, batch: int, lr_batch: int | None) -> float:
    """The rate for `batch` clips per step when `lr` is meant for `lr_batch`: lr · batch / lr_batch.

    Goyal et al., arXiv 1706.02677, section 2.1. None: `lr` is meant for the batch as it is.
    """
    return lr if lr_batch is None else lr * batch / lr_batch


def make_optimizer(
    groups: Sequence[dict[str, Any]],
    *,
    name: str = "adamw",
    lr: float,
    betas: tuple[float, float] | None = None,
    momentum: float | None = None,
) -> torch.optim.Optimizer:
    """An optimizer by timm's name for it (`adamw`, `momentum`, `sgd` with Nesterov's momentum, …); fused if it can be.

    `betas` and `momentum`: None for its own. Raises ConfigError for a name that timm does not know and for a setting
    that the optimizer does not have.
    """
    from timm.optim._optim_factory import create_optimizer_v2, get_optimizer_class, get_optimizer_info

    try:
        info = get_optimizer_info(name)
        kind = get_optimizer_class(name, bind_defaults=False)
    except ValueError as error:
        raise ConfigError(f"`optimizer`={name}: timm has no such optimizer; adamw, momentum, sgd … do") from error
    chosen: dict[str, Any] = {}
    for key, value, known in (("betas", betas, info.has_betas), ("momentum", momentum, info.has_momentum)):
        if value is not None and not known:
            raise ConfigError(f"`{key}`={value}: {name} has no {key}; leave it out")
        if value is not None:
            chosen[key] = value
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    if kind in FUSED and devices <= {"cpu", "cuda"}:
        chosen["fused"] = True
    return create_optimizer_v2(list(groups), opt=name, lr=lr, **chosen)


def make_schedule(
    optimizer: torch.optim.Optimizer,
    *,
    kind: ScheduleKind = "cosine",
    lr: float,
    min_lr: float = 0.0,
    steps: int,
    warmup_steps: int = 0,
    lr_steps: Sequence[int] = (),
) -> Schedule:
    """A linear rise over `warmup_steps`, then down; `step_update(step)` before a step sets its rate, s from 0.

        cosine   min_lr + (lr - min_lr) · (1 + cos(π s / steps)) / 2
        linear   from lr behind the warm-up to min_lr at `steps`
        step     lr · 0.1^(how many of `lr_steps` are <= s)

    and the warm-up is lr · (1 + s (w - 1) / w) / w with w = warmup_steps. A group's rate is that times its `lr_scale`.
    """
    from timm.scheduler.cosine_lr import CosineLRScheduler
    from timm.scheduler.multistep_lr import MultiStepLRScheduler
    from timm.scheduler.poly_lr import PolyLRScheduler

    warmup: dict[str, Any] = {
        "warmup_t": warmup_steps,
        "warmup_lr_init": lr / max(warmup_steps, 1),
        "t_in_epochs": False,
    }
    if kind == "cosine":
        return CosineLRScheduler(optimizer, t_initial=steps, lr_min=min_lr, **warmup)
    if kind == "linear":
        left = max(steps - warmup_steps, 1)
        return PolyLRScheduler(optimizer, t_initial=left, power=1.0, lr_min=min_lr, warmup_prefix=True, **warmup)
    # timm lets a milestone m begin at step m - 1.
    milestones = [step + 1 for step in lr_steps]
    return MultiStepLRScheduler(optimizer, decay_t=milestones, decay_rate=0.1, warmup_prefix=False, **warmup)
