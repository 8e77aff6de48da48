"""Which records belong to which step and process, and worker processes that decode them."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from vidtok.data.dataset import VideoDataset
from vidtok.data.watch import Key, WatchedLoader
from vidtok.types import Batch, Failure, Sample


class TrainBatches(Sampler[list[Key]]):
    """`(record, epoch)` keys for every step of a run on one process: a pure function of (seed, step).

    All epochs, each in an order of its own, are laid end to end; step `s` takes `batch` keys from place `s * batch` on,
    and process `rank` of `world` takes every `world`-th of these. A run that starts at `first_step` sees exactly what
    an uninterrupted one sees from there on, on any number of processes.
    """

    def __init__(
        self, *, records: int, batch: int, steps: int, seed: int, first_step: int = 0, rank: int = 0, world: int = 1
    ):
        if records < 1:
            raise ValueError("a run needs at least one record")
        self.records, self.batch, self.steps, self.seed = records, batch, steps, seed
        self.first_step, self.rank, self.world = first_step, rank, world
        self._orders: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(self.first_step, self.steps):
            yield self.keys(step)[self.rank :: self.world]

    def keys(self, step: int) -> list[Key]:
        """The keys of all processes at this step."""
        places = range(step * self.batch, (step + 1) * self.batch)
        epochs = {place // self.records for place in places}
        self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in epochs}
        for epoch in epochs - self._orders.keys():
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self.records)
        return [
            (int(self._orders[place // self.records][place % self.records]), place // self.records) for place in places
        ]


class EvalBatches(Sampler[list[Key]]):
    """Every record once, spread over the processes without padding: no video is counted twice or left out."""

    def __init__(self, *, records: int, batch: int, rank: int = 0, world: int = 1):
        self.rows = range(rank, records, world)
        self.batch = batch

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch)

    def __iter__(self) -> Iterator[list[Key]]:
        for first in range(0, len(self.rows), self.batch):
            yield [(row, 0) for row in self.rows[first : first + self.batch]]


@dataclass(frozen=True, kw_only=True)
class Collate:
    """Samples to a Batch, failures beside them; `empty` is the shape `v f c y x` of an empty batch."""

    empty: tuple[int, int, int, int, int]

    def __call__(self, items: Sequence[Sample | Failure]) -> Batch:
        samples = [item for item in items if isinstance(item, Sample)]
        return Batch(
            views=torch.stack([s.views for s in samples])
            if samples
            else torch.empty((0, *self.empty), dtype=torch.uint8),
            labels=tuple(s.labels for s in samples),
            indices=tuple(s.index for s in samples),
            video_ids=tuple(s.video_id for s in samples),
            failures=tuple(item for item in items if isinstance(item, Failure)),
        )


def start_worker(_: int) -> None:
    """One thread per worker, since the workers already fill the cores; Ctrl-C is the training process's to answer."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_loader(
    dataset: VideoDataset, batches: Sampler[list[Key]], *, workers: int, timeout_seconds: float = 120.0
) -> Iterable[Batch]:
    """Batches in the sampler's order, decoded by `workers` processes (0: in this one, which nothing watches).

    Raises TrainingError, which names the file, for a worker that died, and after `timeout_seconds` without a batch.
    """
    views = dataset.views
    collate = Collate(empty=(views.count, views.clip.frames, 3, views.size, views.size))
    if workers == 0:
        loader: DataLoader = DataLoader(dataset, batch_sampler=batches, collate_fn=collate)
        return loader
    return WatchedLoader(
        dataset,
        batches,
        workers=workers,
        timeout_seconds=timeout_seconds,
        collate=collate,
        start_worker=start_worker,
    )
