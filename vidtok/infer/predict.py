"""Labels for videos: each is taken as the model was fed in training, and gets a row of scores, or the cause why not."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import Aggregate, Backend, Crops
from vidtok.data.dataset import VideoDataset
from vidtok.data.loader import EvalBatches, fitting_videos, make_loader, view_bytes
from vidtok.data.views import TestViews
from vidtok.errors import ModelError
from vidtok.infer.evaluate import aggregate_views
from vidtok.models.classifier import Classifier
from vidtok.types import Failure, Record
from vidtok.video.protocols import ClipRule


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The scores of one video, in the order of the model's classes."""

    path: Path
    scores: Float[Tensor, "k"]

    def top(self, classes: Sequence[str], count: int) -> list[tuple[str, float]]:
        """The best classes with their scores, best first."""
        best = self.scores.topk(min(count, len(classes)))
        names = [classes[int(k)] for k in best.indices.tolist()]
        return list(zip(names, best.values.tolist(), strict=True))


def model_views(model: Classifier, *, clips: int = 1, crops: Crops = 1) -> TestViews:
    """What a model that knows how it was fed is shown of a video; by default its centre.

    Raises ModelError for one that does not know.
    """
    feeding, architecture = model.feeding, model.architecture
    if feeding is None or architecture is None:
        raise ModelError(
            "how clips are taken from videos is not known of this model: make it with create_model(…, "
            "feeding=Feeding(stride=…, short_side=…)), or load it from a run"
        )
    clip = ClipRule(
        frames=architecture.frames,
        stride=feeding.stride,
        target_fps=feeding.target_fps,
        sampling=feeding.sampling,
        short=feeding.short,
    )
    return TestViews(
        clip=clip,
        size=architecture.size,
        short_side=feeding.short_side,
        clips=clips,
        crops=crops,
        fit=feeding.fit,
    )


def predict_videos(
    model: Classifier,
    paths: Sequence[str | Path],
    *,
    clips: int = 1,
    crops: Crops = 1,
    aggregate: Aggregate = "logits",
    batch: int = 8,
    max_views: int = 96,
    workers: int = 0,
    backend: Backend = "pyav",
    timeout_seconds: float = 120.0,
) -> Generator[Prediction | Failure, None, None]:
    """The scores of each video as they come, in the order of `paths`; a Failure for one that cannot be decoded.

    The model stays where it is and is in evaluation state meanwhile. Each video is decoded once, `batch` videos are
    held at a time, fewer where they are large, and no more than `max_views` clips go through the network at once, so
    that memory grows neither with the number of videos nor with their length.
    """
    views = model_views(model, clips=clips, crops=crops)
    assert model.feeding is not None
    files = [Path(path) for path in paths]
    if not files:
        return
    records = [Record(path=path, labels=(), video_id=str(path)) for path in files]
    held = fitting_videos(batch, video_bytes=view_bytes(views) * views.count)
    loader = make_loader(
        VideoDataset(records, views=views, backend=backend, timeout_seconds=timeout_seconds),
        EvalBatches(records=len(records), batch=held),
        workers=workers,
        timeout_seconds=timeout_seconds,
    )
    was_training = model.training
    model.eval()
    try:
        for loaded in loader:
            flat = rearrange(loaded.views, "b v f c y x -> (b v) f c y x")
            with torch.inference_mode():
                parts = [model(part.to(model.mean.device)).float().cpu() for part in flat.split(max_views)]
            logits = rearrange(torch.cat(parts), "(b v) k -> b v k", v=views.count) if parts else None
            found: dict[int, Prediction | Failure] = {failure.index: failure for failure in loaded.failures}
            for place, index in enumerate(loaded.indices):
                assert logits is not None
                seen = loaded.counts[place] if loaded.counts else views.count
                scores = aggregate_views(logits[place : place + 1, :seen], aggregate, kind=model.feeding.scores)
                found[index] = Prediction(path=files[index], scores=scores[0])
            for index in sorted(found):
                yield found[index]
    finally:
        model.train(was_training)
