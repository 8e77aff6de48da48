"""One process or many: what torchrun sets in the environment, and the few exchanges that training needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vidtok.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """This process's place among all processes of the run."""

    rank: int = 0
    world: int = 1
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model itself for one process, else DistributedDataParallel: gradients become the mean over processes."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def gather(self, thing: Any) -> list[Any]:
        """What every process hands in, in the order of ranks, on every process."""
        if self.world == 1:
            return [thing]
        things: list[Any] = [None] * self.world
        dist.all_gather_object(things, thing)
        return things

    def wait(self) -> None:
        """Go on when all processes have come this far."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def start_parallel(device: str) -> Iterator[Parallel]:
    """Join the group that torchrun describes (RANK, WORLD_SIZE, LOCAL_RANK), or stand alone; leave it at the end.

    `device` is `auto`, `cpu` or `cuda`. NCCL joins GPUs, gloo joins CPUs.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device=cuda, but torch finds no CUDA device here; set run.device=auto or cpu")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    place = torch.device(kind, int(os.environ.get("LOCAL_RANK", 0))) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    if world == 1:
        yield Parallel(device=place)
        return
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Parallel(rank=rank, world=world, device=place)
    finally:
        dist.destroy_process_group()
