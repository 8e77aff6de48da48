"""What actors of a Ray Data job do with videos: label them, or take their features."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidtok.choices import Backend, Crops, Device, FeatureKind
from vidtok.infer.features import VideoFeatures, extract_features
from vidtok.infer.predict import Prediction, predict_videos
from vidtok.models.classifier import Classifier
from vidtok.runs.ray_job import ray_rows
from vidtok.types import Failure


@dataclass(kw_only=True)
class ModelWork:
    """A model that goes over videos, in its form for inference, which is made where it is used."""

    model: Classifier
    clips: int
    backend: Backend

    def start(self, device: torch.device) -> None:
        self.model = self.model.to(device).for_inference()

    @property
    def held_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.model.state_dict().values())


@dataclass(kw_only=True)
class Labelling(ModelWork):
    """The scores of each video."""

    crops: Crops
    workers: int

    def __call__(self, paths: Sequence[Path]) -> Iterator[dict[str, Tensor] | Failure]:
        results = predict_videos(
            *(self.model, paths),
            clips=self.clips,
            crops=self.crops,
            workers=self.workers,
            backend=self.backend,
        )
        for found in results:
            yield found if isinstance(found, Failure) else {"scores": found.scores}


@dataclass(kw_only=True)
class Encoding(ModelWork):
    """The features of each clip of each video, and when its frames are shown."""

    kind: FeatureKind
    depth: int | None

    def __call__(self, paths: Sequence[Path]) -> Iterator[dict[str, Tensor] | Failure]:
        results = extract_features(
            *(self.model, paths),
            kind=self.kind,
            depth=self.depth,
            clips=self.clips,
            backend=self.backend,
        )
        for found in results:
            yield found if isinstance(found, Failure) else {"features": found.features, "seconds": found.seconds}


def ray_predictions(
    model: Classifier,
    paths: Sequence[Path],
    *,
    clips: int = 1,
    crops: Crops = 1,
    workers: int = 0,
    backend: Backend = "pyav",
    device: Device = "auto",
    actors: int | None = None,
    ray_address: str | None = None,
) -> Generator[Prediction | Failure, None, None]:
    """What `predict_videos` gives, in any order: see `ray_rows`. Each actor has `workers` processes that decode."""
    work = Labelling(model=model, clips=clips, backend=backend, crops=crops, workers=workers)
    rows = ray_rows(work, paths, cores=1 + workers, device=device, actors=actors, ray_address=ray_address)
    with closing(rows):
        for index, found in rows:
            if isinstance(found, Failure):
                yield found
            else:
                yield Prediction(path=paths[index], scores=found["scores"], classes=model.classes)


def ray_features(
    model: Classifier,
    paths: Sequence[Path],
    *,
    kind: FeatureKind = "pooled",
    depth: int | None = None,
    clips: int = 1,
    backend: Backend = "pyav",
    device: Device = "auto",
    actors: int | None = None,
    ray_address: str | None = None,
) -> Generator[VideoFeatures | Failure, None, None]:
    """What `extract_features` gives, in any order: see `ray_rows`."""
    work = Encoding(model=model, clips=clips, backend=backend, kind=kind, depth=depth)
    rows = ray_rows(work, paths, device=device, actors=actors, ray_address=ray_address)
    with closing(rows):
        for index, found in rows:
            if isinstance(found, Failure):
                yield found
            else:
                yield VideoFeatures(path=paths[index], features=found["features"], seconds=found["seconds"])
