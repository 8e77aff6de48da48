"""Which records belong to which step and process, and worker processes that decode them."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from vidtok.data.buffers import MakeRoom, fitting_workers, own_memory
from vidtok.data.dataset import Key, VideoDataset
from vidtok.data.geometry import rows_columns
from vidtok.data.views import TestViews, TrainViews
from vidtok.data.watch import WatchedLoader
from vidtok.data.worker import start_worker
from vidtok.types import Batch, Failure, Sample

EVAL_BATCH_BYTES = 32 * 2**20
"""Pixels of a testing batch, if it has more than one video."""
WORKERS_BYTES = 2**30
"""Pixels that the workers of a test hold together: what lies ready, what is handed over, and what is being made."""
SIZES_STREAM = 0x5A125  # beside the epochs, whose orders are drawn from (seed, epoch)


class TrainBatches(Sampler[list[Key]]):
    """`(record, epoch, size)` keys for every step of a run on one process: a pure function of (seed, step).

    All epochs, each in an order of its own, are laid end to end; a step takes its keys from the place where the step
    before ended, and process `rank` of `world` takes every `world`-th of these. A run that starts at `first_step` sees
    exactly what an uninterrupted one sees from there on, on any number of processes.

    `batch` clips a step are `batch / repeats` videos, each seen `repeats` times. With `sizes`, each step draws one of
    them, for all of its clips, and takes about as many clips as keep the number of pixels: `batch * (size / drawn)²`,
    rounded to whole videos, one at least. That is the multi-scale sampler of MobileViT (Mehta and Rastegari, arXiv
    2110.02178, section 3.2), which CAS-ViT trains with; CAS-ViT's own never takes fewer clips than `batch`, for which
    the larger sizes need more memory.

    With `labels`, one for each record, every class comes equally often: an epoch has as many places as before, which
    the classes share, and a class with fewer records than that sees them several times (up to once more for one than
    for another), each time as other clips. Which records of a large class an epoch takes follows from the seed too.

    Raises ValueError where `repeats` does not divide `batch`.
    """

    def __init__(
        self,
        *,
        records: int,
        batch: int,
        steps: int,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        world: int = 1,
        repeats: int = 1,
        size: int | None = None,
        sizes: Sequence[int] | None = None,
        labels: Sequence[int] | None = None,
    ):
        if records < 1:
            raise ValueError("a run needs at least one record")
        if labels is not None and len(labels) != records:
            raise ValueError(f"{records} records need as many labels, not {len(labels)}")
        if batch % repeats:
            raise ValueError(f"a batch of {batch} clips cannot hold {repeats} clips of each of its videos")
        if (size is None) != (sizes is None):
            raise ValueError(
                "sizes that change from step to step need the size that the batch is meant for, and only they"
            )
        self.records, self.steps, self.seed = records, steps, seed
        self.first_step, self.rank, self.world = first_step, rank, world
        self.repeats = repeats
        counts, self.sizes = step_plan(batch // repeats, steps=steps, seed=seed, size=size, sizes=sizes)
        self._ends = np.cumsum(counts)
        self._classes = None if labels is None else [np.flatnonzero(labels == k) for k in np.unique(labels)]
        self._visits = 1 if self._classes is None else 1 + records // min(map(len, self._classes))
        self._orders: dict[int, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(self.first_step, self.steps):
            yield self.keys(step)[self.rank :: self.world]

    @property
    def first_pass(self) -> int:
        """The steps in which all records are seen for the first time; more than the run has where it is shorter."""
        return int(np.searchsorted(self._ends, self.records)) + 1

    @property
    def shares(self) -> set[tuple[int, int, int | None]]:
        """The most and the fewest clips that a step brings to a process, and their size: each such triple once."""
        counts = np.diff(self._ends, prepend=0).tolist()
        parts = {
            (-(-count // self.world), count // self.world, size) for count, size in zip(counts, self.sizes, strict=True)
        }
        return {(most * self.repeats, least * self.repeats, size) for most, least, size in parts}

    def keys(self, step: int) -> list[Key]:
        """The keys of all processes at this step."""
        places = range(int(self._ends[step - 1]) if step else 0, int(self._ends[step]))
        epochs = {place // self.records for place in places}
        self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in epochs}
        for epoch in epochs - self._orders.keys():
            self._orders[epoch] = self._order(epoch)
        size = self.sizes[step]
        return [(*self._orders[place // self.records][place % self.records], size) for place in places]

    def _order(self, epoch: int) -> list[tuple[int, int]]:
        """Each place's record, and the number by which its clips are drawn: no record has the same one twice."""
        rng = np.random.default_rng([self.seed, epoch])
        if self._classes is None:
            return [(row, epoch) for row in rng.permutation(self.records).tolist()]
        quotas = np.full(len(self._classes), self.records // len(self._classes))
        quotas[rng.permutation(len(quotas))[: self.records % len(quotas)]] += 1
        drawn = [
            (row, epoch * self._visits + place // len(rows))
            for rows, quota in zip(self._classes, quotas.tolist(), strict=True)
            for place, row in enumerate(np.resize(rng.permutation(rows), quota).tolist())
        ]
        return [drawn[place] for place in rng.permutation(self.records).tolist()]


def step_plan(
    videos: int, *, steps: int, seed: int, size: int | None = None, sizes: Sequence[int] | None = None
) -> tuple[np.ndarray, list[int | None]]:
    """The videos of every step, and its size where `sizes` change, as `TrainBatches` says."""
    if size is None or sizes is None:
        return np.full(steps, videos, np.int64), [None] * steps
    drawn = np.random.default_rng([seed, SIZES_STREAM]).integers(len(sizes), size=steps)
    fitting = np.array([max(1, round(videos * (size / each) ** 2)) for each in sizes], np.int64)
    return fitting[drawn], [sizes[choice] for choice in drawn.tolist()]


def steps_of_epochs(
    epochs: float | int,
    *,
    records: int,
    batch: int,
    seed: int,
    repeats: int = 1,
    size: int | None = None,
    sizes: Sequence[int] | None = None,
) -> int:
    """The steps that see so many epochs: the first after which as many videos have come. One at least."""
    places = math.ceil(epochs * records - 1e-6)
    steps = max(1, -(-places // (batch // repeats)))
    while (ends := np.cumsum(step_plan(batch // repeats, steps=steps, seed=seed, size=size, sizes=sizes)[0]))[
        -1
    ] < places:
        steps *= 2
    return int(np.searchsorted(ends, places)) + 1


def fitting_videos(wanted: int, *, video_bytes: int) -> int:
    """How many of the `wanted` videos of a testing batch fit into EVAL_BATCH_BYTES of pixels; one in any case."""
    return max(1, min(wanted, EVAL_BATCH_BYTES // video_bytes))


class EvalBatches(Sampler[list[Key]]):
    """Every record once, spread over the processes without padding: no video is counted twice or left out."""

    def __init__(self, *, records: int, batch: int, rank: int = 0, world: int = 1):
        self.rows = range(rank, records, world)
        self.batch = batch

    @property
    def shares(self) -> set[tuple[int, int, int | None]]:
        """As for `TrainBatches`, with videos for clips, and of this process alone."""
        most = min(self.batch, len(self.rows))
        return {(most, (len(self.rows) - 1) % self.batch + 1 if most else 0, None)}

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch)

    def __iter__(self) -> Iterator[list[Key]]:
        for first in range(0, len(self.rows), self.batch):
            yield [(row, 0, None) for row in self.rows[first : first + self.batch]]


def stack(views: Sequence[UInt8[Tensor, "v f c y x"]], *, room: MakeRoom = own_memory) -> UInt8[Tensor, "b v f c y x"]:
    """`torch.stack` into what `room` gives for the shape.

    Clips with the colours of a pixel side by side in memory, as decoders give them, stay so: copying them otherwise
    takes twice the time. The network's normalisation puts them in order on its way to float.
    """
    pixels = [each.movedim(-3, -1) for each in views]
    if all(each.is_contiguous() for each in pixels):
        return torch.stack(pixels, out=room((len(pixels), *pixels[0].shape))).movedim(-1, -3)
    return torch.stack(list(views), out=room((len(views), *views[0].shape)))


def view_bytes(views: TrainViews | TestViews) -> int:
    """Bytes of one view's pixels."""
    return views.clip.frames * 3 * math.prod(rows_columns(views.size))


@dataclass(frozen=True, kw_only=True)
class Collate:
    """Samples to a Batch, failures beside them; `empty` is the shape `v f c y x` of an empty batch, `room` its memory.

    With `by_video` a row is a video with all of its views; without it, as in training, every view is a row of its own.
    """

    empty: tuple[int, int, int, int, int]
    by_video: bool
    room: MakeRoom = own_memory

    def __call__(self, items: Sequence[Sample | Failure]) -> Batch:
        samples = [item for item in items if isinstance(item, Sample)]
        if self.by_video:
            rows = [(s.views, s.labels[0], s) for s in samples]
        else:
            rows = [(s.views[k : k + 1], labels, s) for s in samples for k, labels in enumerate(s.labels)]
        views = [views for views, _, _ in rows]
        counts = tuple(len(each) for each in views)
        if len(set(counts)) > 1:
            missing = [each.new_zeros((max(counts) - len(each), *each.shape[1:])) for each in views]
            views = [torch.cat(pair) for pair in zip(views, missing, strict=True)]
        return Batch(
            views=stack(views, room=self.room) if views else self.room((0, *self.empty)),
            labels=tuple(labels for _, labels, _ in rows),
            indices=tuple(s.index for _, _, s in rows),
            video_ids=tuple(s.video_id for _, _, s in rows),
            failures=tuple(item for item in items if isinstance(item, Failure)),
            damaged=tuple(s.damaged for s in samples if s.damaged is not None),
            counts=counts if len(set(counts)) > 1 else (),
        )


def make_loader(
    dataset: VideoDataset,
    batches: TrainBatches | EvalBatches,
    *,
    workers: int,
    timeout_seconds: float = 120.0,
    by_video: bool | None = None,
    sharing: int = 1,
    warn: Callable[[str], object] = warnings.warn,
) -> Iterable[Batch]:
    """Batches in the sampler's order, decoded by `workers` processes (0: in this one, which nothing watches).

    `by_video`: a row of a batch is a video with all of its views, as in testing, and not a clip, as in training; None:
    as the views are. Then the workers hold no more than WORKERS_BYTES of pixels together, but for one video each: fewer
    of them work, and they work less ahead, where a batch of EvalBatches (see `fitting_videos`) is a large video.
    Workers hand their batches over in shared memory, of which containers may have little: where it is too small for so
    many workers there are fewer, or none, which changes nothing but the speed, and `warn` is told. `sharing` processes
    of this machine do the same at the same time.

    Raises TrainingError, which names the file, for a worker that died, and after `timeout_seconds` without a batch.
    """
    views = dataset.views
    by_video = isinstance(views, TestViews) if by_video is None else by_video
    ahead = 2
    if by_video:
        videos = batches.batch if isinstance(batches, EvalBatches) else 1
        batch_bytes = view_bytes(views) * views.count * videos
        ahead = 2 if batch_bytes <= EVAL_BATCH_BYTES else 1
        workers = min(workers, max(1, WORKERS_BYTES // ((ahead + 2) * batch_bytes)))
    empty = (views.count if by_video else 1, views.clip.frames, 3, *rows_columns(views.size))
    pixels = max(count * (math.prod(empty[3:]) if size is None else size**2) for count, _, size in batches.shares)
    largest = pixels * math.prod(empty[:3])
    workers, text = fitting_workers(workers, batch_bytes=largest, sharing=sharing)
    if text:
        warn(text)
    if workers == 0:
        loader: DataLoader = DataLoader(
            dataset, batch_sampler=batches, collate_fn=Collate(empty=empty, by_video=by_video)
        )
        return loader
    return WatchedLoader(
        dataset,
        batches,
        workers=workers,
        ahead=ahead,
        timeout_seconds=timeout_seconds,
        batch_bytes=largest,
        make_collate=lambda room: Collate(empty=empty, by_video=by_video, room=room),
        start_worker=start_worker,
    )
