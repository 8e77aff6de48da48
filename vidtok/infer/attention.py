"""A clip's attention as frames of a video."""

from typing import Any, cast

from jaxtyping import UInt8
from torch import Tensor

from vidtok.metrics import ScoreKind
from vidtok.models.classifier import Classifier
from vidtok.viz.overlay import Panel, attention_frames
from vidtok.viz.record import record_attention


def attention_clip(
    model: Classifier, clip: UInt8[Tensor, "f c y x"], *, heading: str, kind: ScoreKind = "softmax", guesses: int = 3
) -> UInt8[Tensor, "f 3 rows columns"]:
    """For every frame of the clip: the picture, the last layer's attention and a panel for each learned token.

    Raises ModelError for a network that has no attention to show.
    """
    attention = record_attention(model, clip, grid=cast(Any, model.network).grid, kind=kind)
    panels = [Panel(title="last layer", maps=attention.last.cpu())]
    if attention.learned is not None:
        learned = attention.learned.cpu()
        panels += [Panel(title=f"token {s + 1}", maps=learned[:, s]) for s in range(learned.shape[1])]
    best = attention.scores.cpu().topk(min(guesses, len(model.classes)))
    named = [(model.classes[k], score) for score, k in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
    return attention_frames(clip.cpu(), panels, heading=heading, guesses=named)
