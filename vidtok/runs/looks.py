"""Where a model looks in the videos of a list, for the pictures of a report."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.data.dataset import clock_seconds, open_record, plan
from vidtok.data.views import TestViews
from vidtok.infer.attention import attention_clip
from vidtok.models.classifier import Classifier
from vidtok.types import Record

Look = Callable[[Record], tuple[UInt8[Tensor, "f c y x"], float, Sequence[str]]]
"""Pictures, how many of them there are a second, and what they show in words."""


def looks_of(model: Classifier, views: TestViews, *, kind: ScoreKind, backend: str, timeout_seconds: float) -> Look:
    """What shows where `model` looks in the one view that `views` has of a video.

    It raises ModelError for a network that has nothing to show, DecodeError for a video that cannot be read.
    """

    def look(record: Record) -> tuple[UInt8[Tensor, "f c y x"], float, Sequence[str]]:
        with open_record(record, backend=backend, timeout_seconds=timeout_seconds) as reader:
            (view,) = plan(views, record, clock_seconds(reader), np.random.default_rng(0))  # which draws nothing
            frames = reader.frames_at(view.indices.tolist(), short_side=views.side(reader))
            rate = (views.clip.target_fps or reader.fps) / views.clip.stride
            if views.clip.sampling == "segments":  # the clip is as long as the video
                rate = reader.fps * len(frames) / len(reader)
        clip = views.crop(frames.pixels, view).to(model.mean.device)
        shown = attention_clip(model, clip, heading=record.path.name, kind=kind)
        return shown.pictures, float(rate), shown.notes

    return look
