"""A frozen encoder that was found: how it is built again, its weights, and the clips and pixels that it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from vidtok.errors import ConfigError
from vidtok.models.colours import Colours

USUAL_FRAMES = 16
"""Of a clip, where the encoder leaves a choice."""
USUAL_SIZE = 224


@dataclass(frozen=True, kw_only=True)
class EncoderWeights:
    """An encoder's name, the network that holds it, its weights without a last layer, and what it was built for."""

    name: str
    """In timm, on the hub, or of a folder."""
    network: str = "encoder"
    """A `SummaryNetwork` of vidtok.models.NETWORKS."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The network's options as plain values, `summary` aside."""
    state: Mapping[str, Tensor]
    """Of the network's body."""
    mean: Colours
    std: Colours
    source: str
    """In words, with the licence where it is known."""
    size: int | tuple[int, int] = USUAL_SIZE
    """Rows and columns of a clip."""
    frames: int | None = None
    """Frames of a clip, where there is no choice."""
    step: int = 1
    """Frames of which a clip takes a multiple."""
    note: str | None = None
    """What is to be said before they are used."""

    def clip_frames(self, wanted: int | None) -> int:
        """The frames of a clip: as many as wanted, or as the encoder takes; ConfigError where the two contradict."""
        if wanted is None:
            return self.frames or max(self.step, USUAL_FRAMES // self.step * self.step)
        if self.frames not in (None, wanted):
            raise ConfigError(
                f"`frames`={wanted}: {self.name} was built for clips of {self.frames} frames; leave it out"
            )
        if wanted < 1 or wanted % self.step:
            raise ConfigError(
                f"`frames`={wanted}: {self.name} takes frames in multiples of {self.step}, from {self.step}"
            )
        return wanted
