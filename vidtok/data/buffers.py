"""Shared memory in which worker processes hand over their batches, used again and again.

Fresh shared memory takes longer than the copy into it, because the system fills every page with zeros first. So a
worker keeps its buffers, and takes one again as soon as the training process has let go of the batch that lay in it.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.data import get_worker_info

HEAD = 64
"""Bytes in front of a batch: the place of its mark, and nothing up to the end of a cache line."""
FRESH = -1
MakeRoom = Callable[[Sequence[int]], UInt8[Tensor, "..."]]
"""Memory for pixels of this shape, with anything in it."""


SHARED = Path("/dev/shm")
"""Where Linux keeps shared memory."""
HELD = 3
"""Batches that a worker holds at most: one in use, one that waits, one that is being made."""


def shared_room() -> int | None:
    """The bytes of shared memory that are left; None where the system has no such limit."""
    try:
        return shutil.disk_usage(SHARED).free
    except OSError:
        return None


def fitting_workers(wanted: int, *, batch_bytes: int, sharing: int = 1) -> tuple[int, str]:
    """As many of the wanted workers as shared memory has room for, and what to say where these are fewer.

    `batch_bytes` is the size of a batch, `sharing` the number of processes that start so many workers each.
    """
    room = shared_room()
    fitting = wanted if room is None else room // (sharing * HELD * (HEAD + batch_bytes))
    if fitting >= wanted:
        return wanted, ""
    return fitting, (
        f"{too_small(batch_bytes, workers=wanted * sharing)} "
        f"Videos are decoded {f'by {fitting} workers' if fitting else 'in the training process itself'} for now."
    )


def too_small(batch_bytes: int, *, workers: int) -> str:
    """What a shared memory that is too small for so many workers needs, and what can be done, in words."""
    room, needed = shared_room() or 0, workers * HELD * (HEAD + batch_bytes)
    return (
        f"shared memory ({SHARED}), in which worker processes hand over their batches, has {megabytes(room)} left, and "
        f"{workers} workers need {megabytes(needed)}: {HELD} batches of {megabytes(batch_bytes)} each. Docker gives 64 "
        f"MB unless it is started with more, as by --shm-size={-(-needed * 5 // 4) // 2**20 + 1}m; fewer `workers` "
        "need less, and `workers`=0 none."
    )


def megabytes(count: int) -> str:
    return f"{count / 2**20:.3g} MB" if count < 1000 * 2**20 else f"{count / 2**20:.0f} MB"


def own_memory(shape: Sequence[int]) -> UInt8[Tensor, "..."]:
    """Room in this process alone."""
    return torch.empty(tuple(shape), dtype=torch.uint8)


class Taken:
    """Marks of the buffers whose batches are on their way or in use, and the training process's side of them.

    `marks` has a row for each worker, and is shared with them: a worker sets a mark when it takes a buffer, `free`
    takes back those of batches that are gone. For one loop over the batches, whose workers are its own.
    """

    def __init__(self, *, workers: int, buffers: int = 4):
        self.marks: Bool[Tensor, "workers buffers"] = torch.zeros((workers, buffers), dtype=torch.bool).share_memory_()
        self._lent: list[tuple[StorageWeakRef, int]] = []

    def receive(self, batch: UInt8[Tensor, "..."]) -> None:
        """A batch that a worker has put into `WorkerBuffers.empty`: it is in use while any tensor shares its memory."""
        place = int(batch.as_strided((8,), (1,), 0).view(torch.int64))
        if place != FRESH:
            self._lent.append((StorageWeakRef(batch.untyped_storage()), place))

    def free(self) -> None:
        """Give the workers back the buffers of batches of which no tensor is left."""
        still = []
        for reference, place in self._lent:
            if reference.expired():
                self.marks.view(-1)[place] = False
            else:
                still.append((reference, place))
        self._lent = still


class WorkerBuffers:
    """A worker's side: memory for its next batch."""

    def __init__(self, marks: Bool[Tensor, "workers buffers"]):
        self.marks = marks
        self._buffers: dict[int, UInt8[Tensor, "bytes"]] = {}

    def empty(self, shape: Sequence[int]) -> UInt8[Tensor, "..."]:
        """Room for a batch of this shape, with anything in it: a buffer that is free, or else fresh memory."""
        worker, size = get_worker_info(), HEAD + math.prod(shape)
        if worker is None:
            raise RuntimeError("WorkerBuffers are for worker processes")
        free = (~self.marks[worker.id]).nonzero()
        place = worker.id * self.marks.shape[1] + int(free[0]) if len(free) else FRESH
        buffer = self._buffers.get(place)
        if buffer is None or len(buffer) < size:
            buffer = torch.empty(size, dtype=torch.uint8).share_memory_()
            buffer[:8].view(torch.int64).fill_(place)
        if place != FRESH:
            self._buffers[place] = buffer
            self.marks.view(-1)[place] = True
        return buffer[HEAD:size].view(tuple(shape))
