"""A clip's attention as frames of a video, for the pages of reports."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from vidtok.infer.film import look_at, notes_of
from vidtok.metrics import ScoreKind
from vidtok.models.classifier import Classifier
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
    found, named = look_at(model, clip, kind=kind, guesses=guesses)
    notes = notes_of(found)
    panels = [Panel(title=panel.title, maps=panel.maps) for panel in found if panel.maps is not None]
    pictures = attention_frames(clip.cpu(), panels, heading=heading, guesses=named, notes=notes)
    return AttentionClip(pictures=pictures, guesses=named, notes=tuple(notes))
