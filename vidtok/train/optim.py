"""Optimizer, schedule and loss of a run, from timm and torch."""

from collections.abc import Sequence
from fnmatch import fnmatch

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.optim._param_groups import param_groups_weight_decay
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn

from vidtok.metrics import ScoreKind, multi_hot

# Beside biases and norms (everything with one axis), these are spared by weight decay, as in ViT's own code.
NO_DECAY = ("*position*", "*class_token*", "*relative_bias*")


def make_optimizer(
    model: nn.Module, *, lr: float, betas: tuple[float, float], weight_decay: float
) -> torch.optim.AdamW:
    """AdamW with two groups of parameters: those that decay and those that do not."""
    spared = [name for name, _ in model.named_parameters() if any(fnmatch(name, pattern) for pattern in NO_DECAY)]
    groups = param_groups_weight_decay(model, weight_decay=weight_decay, no_weight_decay_list=spared)
    return torch.optim.AdamW(groups, lr=lr, betas=betas)


def make_schedule(optimizer: torch.optim.Optimizer, *, lr: float, steps: int, warmup_steps: int) -> CosineLRScheduler:
    """Linear rise over `warmup_steps`, then a cosine to zero at `steps`; `step_update(step)` before a step sets it."""
    return CosineLRScheduler(
        optimizer,
        t_initial=steps,
        warmup_t=warmup_steps,
        warmup_lr_init=lr / max(warmup_steps, 1),
        t_in_epochs=False,
    )


def class_loss(
    logits: Float[Tensor, "b k"], labels: Sequence[tuple[int, ...]], *, kind: ScoreKind, label_smoothing: float
) -> Float[Tensor, ""]:
    """Sum over the clips of the loss of each; the caller divides by the step's clips.

    softmax: the cross-entropy; every clip has one label. sigmoid: the mean over the classes of the binary
    cross-entropy; a clip has any number of labels, and `label_smoothing` is not used. PySlowFast takes this mean too,
    scenic the sum over the classes.
    """
    if kind == "sigmoid":
        hot = multi_hot(labels, classes=logits.shape[1]).to(logits.device, torch.float32)
        return F.binary_cross_entropy_with_logits(logits.float(), hot, reduction="none").mean(1).sum()
    target = torch.tensor([label for (label,) in labels], dtype=torch.long, device=logits.device)
    return F.cross_entropy(logits.float(), target, label_smoothing=label_smoothing, reduction="sum")
