"""Multi-view testing: every video decoded once, all its views through the network, one prediction per video."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.metrics import top_k_hits
from vidtok.types import Batch, Failure

Aggregate = Literal["logits", "scores", "max"]
AGGREGATE_WORDS = {"logits": "mean logits", "scores": "mean scores", "max": "max score"}


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Logits of every view of every readable video, in the order of the list, and the videos that failed."""

    indices: tuple[int, ...]
    video_ids: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    logits: Float[Tensor, "n v k"]
    failures: tuple[Failure, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def scores(self, aggregate: Aggregate, *, view: int | None = None) -> Float[Tensor, "n k"]:
        """One row of scores per video, from all views or from a single one."""
        return aggregate_views(self.logits if view is None else self.logits[:, view : view + 1], aggregate)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-k figures. A video that failed counts as wrong in `top1` and `top5`; the others are over readable ones.

    `top5` is None where there are at most five classes.
    """

    n: int
    failed: int
    top1: float
    top5: float | None
    top1_readable: float
    top5_readable: float | None


def aggregate_views(logits: Float[Tensor, "b v k"], aggregate: Aggregate) -> Float[Tensor, "b k"]:
    """Mean of logits (scenic's rule), mean of softmax scores (PySlowFast, VideoMAE) or highest softmax score."""
    if aggregate == "logits":
        return reduce(logits, "b v k -> b k", "mean").softmax(-1)
    return reduce(logits.softmax(-1), "b v k -> b k", "mean" if aggregate == "scores" else "max")


def accuracy(scores: Float[Tensor, "n k"], labels: Sequence[tuple[int, ...]], *, failed: int) -> Accuracy:
    """Top-1 and top-5 with and without the videos that failed."""
    n, classes = len(scores), scores.shape[1]
    hits = {k: int(top_k_hits(scores, labels, k=k).sum()) for k in (1, 5) if k == 1 or classes > k}
    share = {k: (count / max(n + failed, 1), count / max(n, 1)) for k, count in hits.items()}
    top5 = share.get(5, (None, None))
    return Accuracy(
        n=n + failed, failed=failed, top1=share[1][0], top5=top5[0], top1_readable=share[1][1], top5_readable=top5[1]
    )


def autocast(device: torch.device, precision: Literal["float32", "bf16"]) -> contextlib.AbstractContextManager[object]:
    """The arithmetic of a forward pass."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@torch.inference_mode()
def predict_views(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    classes: int,
    device: torch.device,
    precision: Literal["float32", "bf16"] = "float32",
    max_views: int = 96,
) -> Predictions:
    """Run the model, in eval mode, over all views of all batches; `max_views` of them at a time."""
    was_training = model.training
    model.eval()
    rows: list[tuple[int, str, tuple[int, ...], Tensor]] = []
    failures: list[Failure] = []
    views = 1
    for batch in batches:
        failures += batch.failures
        views = batch.views.shape[1]
        flat = rearrange(batch.views, "b v f c y x -> (b v) f c y x")
        parts = []
        for part in flat.split(max_views):
            with autocast(device, precision):
                parts.append(model(part.to(device, non_blocking=True)).float().cpu())
        if len(batch):
            logits = rearrange(torch.cat(parts), "(b v) k -> b v k", v=views)
            rows += zip(batch.indices, batch.video_ids, batch.labels, logits, strict=True)
    model.train(was_training)
    return collect(rows, failures, views=views, classes=classes)


def collect(
    rows: Iterable[tuple[int, str, tuple[int, ...], Tensor]],
    failures: Iterable[Failure],
    *,
    views: int,
    classes: int,
) -> Predictions:
    """Rows of any order (such as those of several processes) as Predictions in the order of the list."""
    rows = sorted(rows, key=lambda row: row[0])
    return Predictions(
        indices=tuple(row[0] for row in rows),
        video_ids=tuple(row[1] for row in rows),
        labels=tuple(row[2] for row in rows),
        logits=torch.stack([row[3] for row in rows]) if rows else torch.empty(0, views, classes),
        failures=tuple(sorted(failures, key=lambda failure: failure.index)),
    )


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several processes as one."""
    rows = [row for part in parts for row in zip(part.indices, part.video_ids, part.labels, part.logits, strict=True)]
    views, classes = parts[0].logits.shape[1:]
    return collect(rows, [failure for part in parts for failure in part.failures], views=views, classes=classes)
