"""A clip's attention as frames of a video."""

from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from vidtok.metrics import ScoreKind, to_scores
from vidtok.models.classifier import Classifier
from vidtok.types import AttentionMap
from vidtok.viz.overlay import Panel, attention_frames


@dataclass(frozen=True, kw_only=True)
class AttentionClip:
    """What a model says of a clip, and where it looked."""

    pictures: UInt8[Tensor, "f 3 rows columns"]
    """For every frame of the clip: the picture, the network's maps over it, the best classes and a legend."""
    guesses: tuple[tuple[str, float], ...]
    """The best classes with their scores, the best one first."""
    notes: tuple[str, ...]
    """What the panels show, a line for each map of the network."""


def attention_clip(
    model: Classifier, clip: UInt8[Tensor, "f c y x"], *, heading: str, kind: ScoreKind = "softmax", guesses: int = 3
) -> AttentionClip:
    """Ask the model for a clip's classes and its network for where it looks; the model is afterwards as it was.

    Raises ModelError for a network that has nothing to show, and for a clip that it was not built for.
    """
    found = model.attention(clip.unsqueeze(0))
    panels, notes = [], []
    for each in reversed(found):  # what is nearest to the logits stands first
        shown = panels_of(each, number=len(panels))
        panels += shown
        titles = shown[0].title if len(shown) == 1 else f"{shown[0].title} … {shown[-1].title.split()[-1]}"
        notes.append(f"{titles}: {each.place}. Query: {each.query}. Shown: {each.meaning}")
    training = model.training
    try:
        with torch.no_grad():
            scores = to_scores(model.eval()(clip.unsqueeze(0))[0].float(), kind=kind).cpu()
    finally:
        model.train(training)
    best = scores.topk(min(guesses, len(model.classes)))
    named = tuple(
        (model.classes[k], score) for score, k in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )
    pictures = attention_frames(clip.cpu(), panels, heading=heading, guesses=named, notes=notes)
    return AttentionClip(pictures=pictures, guesses=named, notes=tuple(notes))


def panels_of(found: AttentionMap, *, number: int) -> list[Panel]:
    """One panel, or one for each learned token, of a map of a single clip; `number` of them stand before."""
    maps = found.maps[0].float().cpu()
    if maps.dim() == 3:
        return [Panel(title="attention" if number == 0 else f"map {number + 1}", maps=maps)]
    return [Panel(title=f"token {s + 1}", maps=maps[:, s]) for s in range(maps.shape[1])]
