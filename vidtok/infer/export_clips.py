"""Real clips for an exported model: what calibrates 8-bit files, and what they are measured on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from vidtok.choices import Backend
from vidtok.data.dataset import VideoDataset
from vidtok.data.records import Records
from vidtok.errors import DataError
from vidtok.infer.predict import model_views
from vidtok.metrics import to_scores, top_k_hits
from vidtok.models.classifier import Classifier
from vidtok.types import Failure


@dataclass(frozen=True, kw_only=True)
class Clips:
    """A clip of each video, taken as the model takes it, and the videos' labels where all of them have some."""

    pixels: UInt8[Tensor, "n f c y x"]
    labels: tuple[tuple[int, ...], ...] | None
    failures: tuple[Failure, ...]


def spread(count: int, *, most: int) -> list[int]:
    """Up to `most` of so many rows, evenly over all of them, so that lists in the order of classes give of each."""
    kept = min(count, most)
    return [place * count // kept for place in range(kept)]


def read_clips(
    model: Classifier,
    records: Records,
    *,
    most: int,
    backend: Backend = "pyav",
    said: Callable[[float], object] | None = None,
) -> Clips:
    """The centre clips of up to `most` videos; `said` is told the share that is read.

    Raises DataError where none can be decoded.
    """
    dataset = VideoDataset(records, views=model_views(model), backend=backend)
    pixels, labels, failures = [], [], []
    rows = spread(len(records), most=most)
    for number, row in enumerate(rows):
        if said is not None:
            said(number / len(rows))
        found = dataset[row, 0, None]
        if isinstance(found, Failure):
            failures.append(found)
            continue
        pixels.append(found.views)
        labels.append(records[row].labels)
    if not pixels:
        cause = failures[0].cause if failures else "there are none"
        raise DataError(f"{records.source}: none of its videos can be decoded: {cause}")
    return Clips(pixels=torch.cat(pixels), labels=tuple(labels) if all(labels) else None, failures=tuple(failures))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What another precision made of a model, on the same clips."""

    logits: float
    """Largest difference, as a share of the largest logit."""
    scores: float
    """Largest difference of a score, in 0..1."""
    same_class: float
    """Share of clips whose best class is the same."""
    top1: tuple[float, float] | None
    """Before and after, where there are labels."""
    clips: int

    def __str__(self) -> str:
        words = (
            f"scores move by {self.scores:.3f} at most, logits by {self.logits:.1%} of the largest; "
            f"the same best class in {self.same_class:.1%} of {self.clips} clips"
        )
        return words if self.top1 is None else f"{words}; top1 {self.top1[0]:.3f} -> {self.top1[1]:.3f}"


def change(
    before: Classifier,
    after: Classifier,
    clips: Clips,
    *,
    batch: int = 8,
    said: Callable[[float], object] | None = None,
) -> Change:
    """How `after`'s logits and scores differ from those of `before`; `said` is told the share that is done."""
    assert before.feeding is not None
    parts = clips.pixels.split(batch)
    rows: list[list[Tensor]] = [[], []]
    with torch.inference_mode():
        for number, part in enumerate(parts):
            if said is not None:
                said(number / len(parts))
            for own, model in zip(rows, (before, after), strict=True):
                own.append(model(part).float())
    logits = [torch.cat(own) for own in rows]
    scores = [to_scores(each, kind=before.feeding.scores) for each in logits]
    top1 = None
    if clips.labels is not None:
        was, now = (hit_share(top_k_hits(each, clips.labels, k=1)) for each in scores)
        top1 = (was, now)
    return Change(
        logits=float((logits[1] - logits[0]).abs().max() / logits[0].abs().max()),
        scores=float((scores[1] - scores[0]).abs().max()),
        same_class=hit_share(scores[0].argmax(1) == scores[1].argmax(1)),
        top1=top1,
        clips=len(clips.pixels),
    )


def hit_share(hits: Bool[Tensor, "n"]) -> float:
    return float(hits.float().mean())


def as_taken(
    model: Classifier, pixels: UInt8[Tensor, "n f c y x"], *, normalised: bool, batch: int = 1
) -> Sequence[np.ndarray]:
    """Batches in the form in which an exported file takes them."""
    parts = pixels.split(batch)
    return [(model.normalise(part) if normalised else part).numpy() for part in parts]
