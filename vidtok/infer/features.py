"""What a network makes of videos before its last layer: tokens, at any depth, or their mean."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import reduce
from jaxtyping import Float32, Float64
from torch import Tensor

from vidtok.choices import Backend, FeatureKind
from vidtok.data.dataset import clock_seconds
from vidtok.errors import DecodeError
from vidtok.infer.predict import model_views
from vidtok.models.classifier import Classifier
from vidtok.types import Failure
from vidtok.video.reader import open_video


@dataclass(frozen=True, kw_only=True)
class VideoFeatures:
    """A row for each clip of a video, and when its frames are shown, in seconds as players have them."""

    path: Path
    features: Float32[Tensor, "v *axes d"]
    seconds: Float64[Tensor, "v f"]


@torch.inference_mode()
def clip_features(
    model: Classifier, clips: Tensor, *, kind: FeatureKind = "pooled", depth: int | None = None
) -> Float32[Tensor, "v *axes d"]:
    """The tokens of uint8 clips `v f c y x`, or their mean over all places and times: `v d`.

    `depth`: before the first block (0) or behind so many; None: those that the network itself pools. The axes are
    those of `Network.features`; a class token counts as a token. Raises ModelError for a depth that there is not.
    """
    pixels = model.normalise(clips.to(model.mean.device))
    network = model.network
    tokens = network.features(pixels) if depth is None else network.features(pixels, depths=[depth])[0]
    tokens = tokens.float().cpu()
    return tokens if kind == "tokens" else reduce(tokens, "v ... d -> v d", "mean")


def extract_features(
    model: Classifier,
    paths: Sequence[str | Path],
    *,
    kind: FeatureKind = "pooled",
    depth: int | None = None,
    clips: int = 1,
    max_views: int = 32,
    backend: Backend = "pyav",
    timeout_seconds: float = 120.0,
) -> Generator[VideoFeatures | Failure, None, None]:
    """The features of each video as they come, in the order of `paths`; a Failure for one that cannot be decoded.

    Each is taken as the model was fed in training, with `clips` clips over the whole of it, and decoded once; one is
    held at a time. The model stays where it is, and is in evaluation state meanwhile.
    """
    views = model_views(model, clips=clips)
    was_training = model.training
    model.eval()
    try:
        for index, path in enumerate(map(Path, paths)):
            rng = np.random.default_rng(0)  # no view of testing draws from it
            try:
                with open_video(path, backend=backend, timeout_seconds=timeout_seconds) as reader:
                    seconds = clock_seconds(reader)
                    planned = views.views(seconds, rng)
                    pixels = views.cut(reader, planned, rng)
            except DecodeError as error:
                yield Failure(index=index, path=path, cause=str(error), key=str(path))
                continue
            parts = [clip_features(model, part, kind=kind, depth=depth) for part in pixels.split(max_views)]
            shown = torch.stack([seconds[view.indices] for view in planned])
            yield VideoFeatures(path=path, features=torch.cat(parts), seconds=shown)
    finally:
        model.train(was_training)


def weights_digest(model: Classifier) -> str:
    """Tells the weights of a model, and its normalisation, from any others."""
    digest = hashlib.blake2b(repr(model.normalisation).encode(), digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
