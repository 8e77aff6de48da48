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
from vidtok.errors import DecodeError, ModelError
from vidtok.infer.evaluate import aggregate_views, join_clips
from vidtok.models.classifier import Classifier
from vidtok.types import Failure, Record
from vidtok.video.protocols import ClipRule


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The scores of one video, in the order of the model's classes."""

    path: Path
    scores: Float[Tensor, "k"]
    classes: tuple[str, ...]

    @property
    def label(self) -> str:
        """The best class."""
        return self.top(1)[0][0]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The best classes with their scores, best first."""
        best = self.scores.topk(min(count, len(self.classes)))
        names = [self.classes[k] for k in best.indices.tolist()]
        return list(zip(names, best.values.tolist(), strict=True))


class VideoClassifier(Classifier):
    """A Classifier that opens files: what `vidtok.load` and `vidtok.fit` give."""

    @classmethod
    def of(cls, model: Classifier) -> "VideoClassifier":
        """The same network, with the same weights, normalisation and classes; in evaluation or training as it was."""
        mean, std = model.normalisation
        made = cls(
            model.network,
            mean=mean,
            std=std,
            classes=model.classes,
            architecture=model.architecture,
            feeding=model.feeding,
            about=model.about,
        )
        made.mean, made.std = model.mean, model.std
        return made.train(model.training)

    def predict(
        self,
        path: str | Path,
        *,
        clips: int = 1,
        crops: Crops = 1,
        aggregate: Aggregate = "logits",
        backend: Backend = "pyav",
        timeout_seconds: float = 120.0,
    ) -> Prediction:
        """The scores of a video, or of a folder of pictures; see `predict_videos`, which takes many.

        Raises DecodeError where it cannot be decoded, and ModelError where it is not known how clips are taken.
        """
        (found,) = predict_videos(
            self,
            [path],
            clips=clips,
            crops=crops,
            aggregate=aggregate,
            backend=backend,
            timeout_seconds=timeout_seconds,
        )
        if isinstance(found, Failure):
            raise DecodeError(found.cause)
        return found


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
    joined = clips if model.network.joins_clips else 1
    try:
        for loaded in loader:
            flat = rearrange(join_clips(loaded.views, joined), "b v f c y x -> (b v) f c y x")
            with torch.inference_mode():
                parts = [
                    model(part.to(model.mean.device)).float().cpu() for part in flat.split(max(1, max_views // joined))
                ]
            logits = rearrange(torch.cat(parts), "(b v) k -> b v k", v=views.count // joined) if parts else None
            found: dict[int, Prediction | Failure] = {failure.index: failure for failure in loaded.failures}
            for place, index in enumerate(loaded.indices):
                assert logits is not None
                seen = loaded.counts[place] if loaded.counts else views.count // joined
                scores = aggregate_views(logits[place : place + 1, :seen], aggregate, kind=model.feeding.scores)
                found[index] = Prediction(path=files[index], scores=scores[0], classes=model.classes)
            for index in sorted(found):
                yield found[index]
    finally:
        model.train(was_training)
