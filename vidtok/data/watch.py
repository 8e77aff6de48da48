"""Worker processes under watch: one that dies, or is silent too long, ends the run, and the message names the file.

A decoder can crash, or hang inside of native code, where no exception and no deadline of ours reaches it. So each
worker notes in shared memory which record it reads before it opens the video, and the training process looks there.
"""

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from vidtok.data.buffers import MakeRoom, Taken, WorkerBuffers, too_small
from vidtok.data.dataset import Key, VideoDataset
from vidtok.errors import TrainingError
from vidtok.types import Batch, Failure, Sample

NOTHING = -1
LOOK_SECONDS = 5.0
"""How often it is seen whether all workers live, while a batch is waited for."""


class NotingDataset(Dataset[Sample | Failure]):
    """A dataset whose workers note in `notes` (a row of process id, record, nanoseconds) what they read since when."""

    def __init__(self, dataset: VideoDataset, *, notes: Int64[Tensor, "workers 3"]):
        self.dataset = dataset
        self.notes = notes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> Sample | Failure:
        worker = get_worker_info()
        if worker is None:
            raise RuntimeError("a NotingDataset is for worker processes")
        self.notes[worker.id] = torch.tensor([os.getpid(), key[0], monotonic_ns()])
        item = self.dataset[key]
        self.notes[worker.id, 1] = NOTHING
        return item


class WatchedLoader:
    """Batches in the sampler's order from `workers` processes, one or more.

    Each worker makes up to `ahead` batches before they are asked for. `make_collate` makes torch's `collate_fn` from a
    function that gives memory for a batch, `batch_bytes` is the size of the largest one.
    Raises TrainingError, which names the files that were being read, as soon as a worker has died, and when no batch
    has come for `timeout_seconds`; one that says how much is needed where shared memory is too small.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        batches: Sampler[list[Key]],
        *,
        workers: int,
        timeout_seconds: float,
        batch_bytes: int,
        ahead: int = 2,
        make_collate: Callable[[MakeRoom], Callable[[Sequence[Sample | Failure]], Batch]],
        start_worker: Callable[[int], None],
    ):
        self.dataset = dataset
        self.timeout_seconds = timeout_seconds
        self.batch_bytes = batch_bytes
        self._workers: list[BaseProcess] = []
        self._notes = torch.full((workers, 3), NOTHING, dtype=torch.int64)
        with self._shared_memory_told():
            self._notes.share_memory_()
        self._make_collate = make_collate
        self._make_loader = partial(
            DataLoader,
            NotingDataset(dataset, notes=self._notes),
            batch_sampler=batches,
            num_workers=workers,
            prefetch_factor=ahead,
            timeout=min(timeout_seconds, LOOK_SECONDS),
            worker_init_fn=start_worker,
        )

    def __iter__(self) -> Iterator[Batch]:
        self._notes.fill_(NOTHING)
        others = set(multiprocessing.active_children())
        with self._shared_memory_told():
            taken = Taken(workers=len(self._notes))
        batches = iter(self._make_loader(collate_fn=self._make_collate(WorkerBuffers(taken.marks).empty)))
        workers = [process for process in multiprocessing.active_children() if process not in others]
        self._workers += workers
        # An error that nobody catches keeps this generator until the process ends, which would wait for the workers.
        end = partial(kill, workers)
        atexit.register(end)
        try:
            with self._deaths_named():
                since = monotonic()
                while True:
                    # What torch's handler raises is lost where errors are ignored, as while an object is taken down,
                    # and it sees no death that something else has asked about before.
                    if dead := wait([worker.sentinel for worker in workers], timeout=0):
                        codes = [worker.exitcode for worker in workers if worker.sentinel in dead]
                        raise self._death(f"exit code {', '.join(map(str, codes))}")
                    try:
                        with self._shared_memory_told():
                            batch = next(batches, None)
                    except RuntimeError as error:
                        # torch's own words; errors of the dataset begin with "Caught".
                        if str(error).startswith("DataLoader timed out"):
                            if monotonic() - since < self.timeout_seconds:
                                continue  # torch waits for the same batch
                            raise self._silence() from error
                        if str(error).startswith("DataLoader worker"):
                            raise self._death(str(error)) from error
                        raise
                    except (OSError, EOFError) as error:
                        # Its end may come while it hands a batch over.
                        if str(error).startswith("Caught") or not wait([w.sentinel for w in workers], timeout=1.0):
                            raise
                        raise self._death(repr(error)) from error
                    if batch is None:
                        return
                    taken.receive(batch.views)
                    yield batch
                    del batch
                    taken.free()
                    since = monotonic()
        finally:
            end()
            atexit.unregister(end)
            self._workers = [worker for worker in self._workers if worker not in workers]

    @contextmanager
    def _deaths_named(self) -> Iterator[None]:
        """While in here, torch's SIGCHLD handler, which ends the run at any point of it, raises our message."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGCHLD"):
            yield  # torch sets no handler either; a death is seen when the next batch is waited for
            return
        before, over = signal.getsignal(signal.SIGCHLD), False

        def handler(number: int, frame: Any) -> None:
            try:
                if callable(before):
                    before(number, frame)
            except RuntimeError as error:
                if over:  # another loop's handler came after this one and goes on calling it
                    raise
                raise self._death(str(error)) from error

        signal.signal(signal.SIGCHLD, handler)
        try:
            yield
        finally:
            over = True
            if signal.getsignal(signal.SIGCHLD) is handler:
                signal.signal(signal.SIGCHLD, before)

    @contextmanager
    def _shared_memory_told(self) -> Iterator[None]:
        """torch's words for shared memory that is used up, here or in a worker, with what is needed and can be done."""
        try:
            yield
        except RuntimeError as error:
            if "allocate shared memory" in str(error):
                raise TrainingError(too_small(self.batch_bytes, workers=len(self._notes))) from error
            raise

    def _death(self, words: str) -> TrainingError:
        alive = {process.pid for process in multiprocessing.active_children()}
        bus_error = -getattr(signal, "SIGBUS", 0)
        if "Bus error" in words or any(worker.exitcode == bus_error for worker in self._workers if bus_error):
            # It has written to shared memory that was promised and is not there.
            return TrainingError(too_small(self.batch_bytes, workers=len(self._notes)))
        files = [file for process, file, _ in self._reading() if process not in alive]
        while_reading = f", while reading {', '.join(map(str, files))}" if files else ", between two videos"
        return TrainingError(
            f"a worker process that decodes videos has died{while_reading} ({words.splitlines()[0].strip()}). If it is "
            f"the same file each time, the decoder crashes on it: remove the file from the list, or choose another "
            f"`backend`. If not, memory may have run out: lower `workers`."
        )

    def _silence(self) -> TrainingError:
        now = monotonic_ns()
        reading = sorted(((now - since) / 1e9, file) for _, file, since in self._reading())[::-1]
        listed = "".join(f"\n  {file} (for {seconds:.0f} s)" for seconds, file in reading) or " nothing"
        return TrainingError(
            f"no batch came from the {len(self._notes)} worker processes for {self.timeout_seconds:g} s "
            f"(`timeout_seconds`). If one file hangs, remove it from the list; if the disk or the videos are slow, "
            f"raise `timeout_seconds`. They were reading:{listed}"
        )

    def _reading(self) -> list[tuple[int, Path, int]]:
        """Of each worker that reads: its process, the file, and since when in nanoseconds."""
        return [
            (process, self.dataset.records[record].path, since)
            for process, record, since in self._notes.tolist()
            if record != NOTHING
        ]


def kill(workers: Sequence[BaseProcess]) -> None:
    """End worker processes at once. They do not listen to SIGTERM, and one whose decoder hangs listens to nothing."""
    alive = [worker for worker in workers if worker.is_alive()]
    if not alive:
        return
    in_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD")
    # These deaths are meant: torch's handler must not take them for failures.
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if in_main else None
    for worker in alive:
        worker.kill()
    for worker in alive:
        worker.join()
    if in_main:
        signal.signal(signal.SIGCHLD, before)
