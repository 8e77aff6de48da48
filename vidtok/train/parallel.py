"""One process or many: what torchrun sets in the environment, and the few exchanges that training needs."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from vidtok.choices import Device, ParallelForm
from vidtok.errors import ConfigError
from vidtok.train.rendezvous import fresh_store


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """This process's place among all processes of the run, and how these share the model.

    ddp: every process has all of it. fsdp2: each keeps a part (vidtok.train.fsdp), where there are several.
    """

    rank: int = 0
    world: int = 1
    device: torch.device
    form: ParallelForm = "ddp"
    restarts: int = 0
    """How often torchrun has started the processes again."""

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        return self.form == "fsdp2" and self.world > 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """DistributedDataParallel: gradients become the mean over processes.

        The model itself for one process, and where it is sharded, which does so of itself.
        """
        if self.world == 1 or self.sharded:
            return model
        return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def totals(self, *counts: int) -> list[int]:
        """Sums of whole numbers over all processes. One process alone waits for no GPU, several meet on theirs."""
        if self.world == 1:
            return [*counts]
        return self.sum(torch.tensor(counts, device=self.device)).tolist()

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
def start_parallel(device: str, *, form: ParallelForm = "ddp", wait_minutes: float = 120.0) -> Iterator[Parallel]:
    """Join the group that torchrun describes (RANK, WORLD_SIZE, LOCAL_RANK), or stand alone; leave it at the end.

    `device` is `auto`, `cpu` or `cuda`. NCCL joins GPUs, gloo joins CPUs. Several processes on one machine share its
    cores evenly unless OMP_NUM_THREADS says otherwise. A process waits `wait_minutes` for the others before it takes
    them for lost: while the first one writes a large checkpoint, or another one still tests its share of the videos,
    torch's 10 minutes for GPUs may be too short. Processes that die are noticed by torchrun at once.
    """
    if device not in get_args(Device):
        raise ConfigError(f"`device` is {', '.join(get_args(Device))}, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`device`=cuda, but torch finds no CUDA device here; give `device`=auto or cpu")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    place = torch.device(kind, int(os.environ.get("LOCAL_RANK", 0))) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    if world == 1:
        yield Parallel(device=place, form=form)
        return
    if (threads := fair_threads()) is not None:
        torch.set_num_threads(threads)
    backend = "nccl" if kind == "cuda" else "gloo"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        store, rank, world = next(rendezvous("env://"))
        meeting = {"store": fresh_store(store, rank=rank, world=world), "rank": rank, "world_size": world}
    else:
        meeting = {}
    dist.init_process_group(backend, timeout=timedelta(minutes=wait_minutes), **meeting)
    try:
        restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
        yield Parallel(rank=rank, world=world, device=place, form=form, restarts=restarts)
    finally:
        dist.destroy_process_group()


def usable_cores() -> int:
    """The cores that this process may run on: Slurm, taskset and containers leave some of the machine's.

    Containers leave all cores in sight and give a share of their time (`docker --cpus=2`); a part of a core counts as
    one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_quota(*, groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """The smallest share of processors, in cores, that the control groups of this process allow; None: no limit.

    `groups` is where the system shows them, `own` says in which of them this process is, a line `number:kinds:path`
    for each hierarchy. Version 2 has a file `cpu.max` (`quota period`, or `max`), version 1 two files in the hierarchy
    `cpu`. A limit of any group above counts too.
    """
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no control groups here
        return None
    limits = []
    for line in lines:
        number, kinds, path = line.split(":", 2)
        if number != "0" and "cpu" not in kinds.split(","):
            continue
        for top in (groups,) if number == "0" else (groups / "cpu", groups / kinds):
            inner = top / path.lstrip("/")
            limits += [_quota(folder) for folder in (inner, *inner.parents) if folder.is_relative_to(top)]
    return min((limit for limit in limits if limit is not None), default=None)


def _quota(folder: Path) -> float | None:
    """The limit that one control group sets, in cores."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        share = float(quota) / float(period)
    except (OSError, ValueError):  # none of these files, or `max`
        return None
    return share if share > 0 else None  # -1: no limit


def fair_threads() -> int | None:
    """This process's share of the machine's cores, one at least; None where OMP_NUM_THREADS is the user's own.

    torchrun sets it to 1 where nobody said anything, so what counts is the environment that torchrun was started with.
    """
    said = "OMP_NUM_THREADS" in os.environ
    if said and "TORCHELASTIC_RUN_ID" in os.environ and os.environ["OMP_NUM_THREADS"] == "1":
        try:
            first = Path(f"/proc/{os.getppid()}/environ").read_bytes()
        except OSError:
            first = b"OMP_NUM_THREADS="  # no /proc here: leave it as it is
        said = any(entry.startswith(b"OMP_NUM_THREADS=") for entry in first.split(b"\0"))
    if said:
        return None
    return max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
