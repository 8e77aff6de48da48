"""Multi-view testing: every video decoded once, all its views through the network, one prediction per video."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vidtok.choices import Aggregate, Precision
from vidtok.errors import ModelError
from vidtok.metrics import ScoreKind, average_precision, to_scores, top_k_hits
from vidtok.types import Batch, Damaged, Failure

AGGREGATE_WORDS = {"logits": "mean logits", "scores": "mean scores", "max": "max score"}


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Logits of every view of every readable video, in the order of the list, and the videos that failed."""

    indices: tuple[int, ...]
    video_ids: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    logits: Float[Tensor, "n v k"]
    failures: tuple[Failure, ...]
    damaged: tuple[Damaged, ...] = ()
    """Of the readable videos, those whose views took frames that damage has spoiled."""
    counts: tuple[int, ...] | None = None
    """How many views each video has, where they differ; the others are of zeros, and do not count."""

    def __len__(self) -> int:
        return len(self.indices)

    def scores(
        self, aggregate: Aggregate, *, kind: ScoreKind, view: int | Callable[[int], int | slice] | None = None
    ) -> Float[Tensor, "n k"]:
        """One row of scores per video, from all views, or from some: `view`, or what that names out of so many."""

        def chosen(logits: Float[Tensor, "n v k"]) -> Float[Tensor, "n w k"]:
            place = view(logits.shape[1]) if callable(view) else view
            if place is None:
                return logits
            return logits[:, place] if isinstance(place, slice) else logits[:, place, None]

        if self.counts is None:
            return aggregate_views(chosen(self.logits), aggregate, kind=kind)
        rows = [
            aggregate_views(chosen(own[None, :count]), aggregate, kind=kind)[0]
            for own, count in zip(self.logits, self.counts, strict=True)
        ]
        return torch.stack(rows)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a test found, by name: `mAP` of sigmoid scores; `top1`, and above five classes `top5`, of single labels.

    A video that failed counts as wrong in `values`; `readable` are the same figures over the others.
    """

    n: int
    failed: int
    values: Mapping[str, float]
    readable: Mapping[str, float]
    empty_classes: int = 0
    """Classes that no video has, which the mean over classes leaves out."""
    damaged: int = 0
    """Videos that were used although frames of theirs are damaged."""

    def as_dict(self) -> dict[str, float | int]:
        """Everything on one level: n, failed, damaged, top1, …, top1_readable, …"""
        readable = {f"{name}_readable": value for name, value in self.readable.items()}
        empty = {"empty_classes": self.empty_classes} if self.empty_classes else {}
        return {"n": self.n, "failed": self.failed, "damaged": self.damaged, **self.values, **readable, **empty}


def aggregate_views(logits: Float[Tensor, "b v k"], aggregate: Aggregate, *, kind: ScoreKind) -> Float[Tensor, "b k"]:
    """Mean of logits (scenic's rule), mean of scores (PySlowFast, VideoMAE) or highest score (Charades, by custom)."""
    if aggregate == "logits":
        return to_scores(reduce(logits, "b v k -> b k", "mean"), kind=kind)
    return reduce(to_scores(logits, kind=kind), "b v k -> b k", "mean" if aggregate == "scores" else "max")


def measure(
    scores: Float[Tensor, "n k"],
    labels: Sequence[tuple[int, ...]],
    *,
    kind: ScoreKind,
    missed: Sequence[tuple[int, ...]],
    damaged: int = 0,
) -> Figures:
    """Mean average precision of sigmoid scores; top-1 and top-5 of softmax ones, and wherever each video has one label.

    `missed` are the labels of the videos that failed: they hit nothing, and every class ranks them last. `damaged`: how
    many of the others have damaged frames, which is only passed on.
    """
    n, failed, classes = len(scores), len(missed), scores.shape[1]
    values, readable, empty_classes = {}, {}, 0
    if kind == "sigmoid":
        last = torch.full((failed, classes), -torch.inf, dtype=scores.dtype)
        precisions = average_precision(torch.cat([scores, last]), [*labels, *missed])
        values["mAP"] = float(precisions.nanmean().nan_to_num(0))
        readable["mAP"] = float(average_precision(scores, labels).nanmean().nan_to_num(0))
        empty_classes = int(precisions.isnan().sum())
    if all(len(own) == 1 for own in (*labels, *missed)):
        for k in (1, 5) if classes > 5 else (1,):
            hits = int(top_k_hits(scores, labels, k=k).sum())
            values[f"top{k}"], readable[f"top{k}"] = hits / max(n + failed, 1), hits / max(n, 1)
    return Figures(
        n=n + failed,
        failed=failed,
        values=values,
        readable=readable,
        empty_classes=empty_classes,
        damaged=damaged,
    )


def low_dtype(device: torch.device, precision: Precision) -> torch.dtype | None:
    """What a forward pass rounds to; None for float32, in which a model of fp16 computes where there is no GPU."""
    if precision == "float32" or (precision == "fp16" and device.type == "cpu"):
        return None
    return torch.bfloat16 if precision == "bf16" else torch.float16


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """The arithmetic of a forward pass."""
    dtype = low_dtype(device, precision)
    return contextlib.nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


@torch.inference_mode()
def predict_views(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    classes: int,
    device: torch.device,
    precision: Precision = "float32",
    max_views: int = 96,
    joined: int = 1,
) -> Predictions:
    """Run the model, in eval mode, over all views of all batches; `max_views` of them at a time.

    `joined`: so many clips of a crop go through the network as one (see `Network.joins_clips`) and count as one view.
    """
    was_training = model.training
    model.eval()
    rows: list[tuple[int, str, tuple[int, ...], Tensor]] = []
    failures: list[Failure] = []
    damaged: list[Damaged] = []
    views = 1
    for batch in batches:
        failures += batch.failures
        damaged += batch.damaged
        if joined > 1 and batch.counts:
            raise ModelError("clips are shown to this network together, and these videos have unequal numbers of them")
        pixels = join_clips(batch.views, joined)
        views = pixels.shape[1]
        flat = rearrange(pixels, "b v f c y x -> (b v) f c y x")
        parts = []
        for part in flat.split(max_views):
            with autocast(device, precision):
                parts.append(model(part.to(device, non_blocking=True)).float().cpu())
        if len(batch):
            logits = rearrange(torch.cat(parts), "(b v) k -> b v k", v=views)
            own = [each[:count] for each, count in zip(logits, batch.counts or [views] * len(batch), strict=True)]
            rows += zip(batch.indices, batch.video_ids, batch.labels, own, strict=True)
    model.train(was_training)
    return collect(rows, failures, damaged, views=views, classes=classes)


def join_clips(views: Shaped[Tensor, "b v f c y x"], clips: int) -> Shaped[Tensor, "b crops f2 c y x"]:
    """The clips of each crop one after the other, as one; views are clip by clip."""
    return rearrange(views, "b (g crops) f c y x -> b crops (g f) c y x", g=clips) if clips > 1 else views


def collect(
    rows: Iterable[tuple[int, str, tuple[int, ...], Tensor]],
    failures: Iterable[Failure],
    damaged: Iterable[Damaged] = (),
    *,
    views: int,
    classes: int,
) -> Predictions:
    """Rows of any order (such as those of several processes) as Predictions in the order of the list."""
    rows = sorted(rows, key=lambda row: row[0])
    counts = [len(row[3]) for row in rows]
    most = max(counts, default=views)
    logits = torch.zeros(len(rows), most, classes, dtype=rows[0][3].dtype if rows else None)
    for place, row in enumerate(rows):
        logits[place, : len(row[3])] = row[3]
    return Predictions(
        indices=tuple(row[0] for row in rows),
        video_ids=tuple(row[1] for row in rows),
        labels=tuple(row[2] for row in rows),
        logits=logits,
        counts=None if len(set(counts)) < 2 else tuple(counts),
        failures=tuple(sorted(failures, key=lambda failure: failure.index)),
        damaged=tuple(sorted(damaged, key=lambda damaged: damaged.index)),
    )


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several processes as one."""
    if len(parts) == 1:
        return parts[0]
    rows = [
        (index, video_id, labels, logits[:count])
        for part in parts
        for index, video_id, labels, logits, count in zip(
            *(part.indices, part.video_ids, part.labels, part.logits),
            part.counts or [part.logits.shape[1]] * len(part),
            strict=True,
        )
    ]
    views, classes = parts[0].logits.shape[1:]
    failures = [failure for part in parts for failure in part.failures]
    damaged = [damaged for part in parts for damaged in part.damaged]
    return collect(rows, failures, damaged, views=views, classes=classes)
