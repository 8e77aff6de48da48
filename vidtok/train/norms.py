"""Batch norm in training: its own statistics, those of all processes, or none any more."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidtok.errors import ConfigError


def training_mode(model: nn.Module, *, frozen_statistics: bool = False) -> None:
    """`model.train()`, but batch norms with frozen weights keep their statistics; all of them where these are frozen.

    A norm that keeps its statistics normalises by them, as in evaluation.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            weights = list(module.parameters())
            if frozen_statistics or (weights and not any(weight.requires_grad for weight in weights)):
                module.eval()


def synchronise_norms(model: nn.Module, *, device: torch.device) -> nn.Module:
    """The model with batch norms whose statistics are those of all processes; ConfigError where there is no GPU."""
    if device.type != "cuda":
        raise ConfigError(
            "`batch_norm`=sync: torch synchronises batch norm on GPUs alone; give `batch_norm`=train "
            "(each process has its own statistics) or frozen"
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)
