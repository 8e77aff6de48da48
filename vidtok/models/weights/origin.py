"""What a file of weights says of the model that they were made in, beside the tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vidtok.errors import CheckpointError, ModelError
from vidtok.models.colours import Normalisation, colours
from vidtok.models.feeding import Feeding
from vidtok.models.network import Clip


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A model that weights were made in; None where the file does not say."""

    source: str
    """Where it is said; for messages."""
    own: bool = False
    """Whether vidtok itself says it."""
    network: str | None = None
    """A name of vidtok.models.NETWORKS."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The network's options that it tells, as plain values."""
    frames: int | None = None
    size: int | tuple[int, int] | None = None
    normalisation: Normalisation | None = None
    classes: tuple[str, ...] | None = None
    """Names of the classes."""
    feeding: Feeding | None = None
    """How clips were taken from videos."""

    @property
    def clip(self) -> Clip | None:
        """The clip that it took, where both frames and size are said."""
        if self.frames is None or self.size is None:
            return None
        return clip_of(self.frames, self.size)


def clip_of(frames: int, size: int | tuple[int, int]) -> Clip:
    """Frames, rows and columns of a clip; a size may be one number for both."""
    return (frames, size, size) if isinstance(size, int) else (frames, *size)


def colour_words(mean: Sequence[float], std: Sequence[float]) -> str:
    """A normalisation for messages."""
    means, stds = (", ".join(f"{value:.4g}" for value in values) for values in (mean, std))
    return f"mean [{means}] and std [{stds}]"


def same_normalisation(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """Whether two are the same up to rounding: 0.485 and 123.68 / 255."""
    pairs = zip(one, other, strict=True)
    return all(abs(a - b) < 1e-3 for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


def of_description(description: Mapping[str, Any], *, source: str) -> Origin:
    """The origin that vidtok's own description tells (config.json, or the header of a .safetensors file).

    Raises CheckpointError where it is not whole.
    """
    try:
        model, normalisation = description["model"], description["normalisation"]
        size = model["size"]
        return Origin(
            source=source,
            own=True,
            network=str(model["network"]),
            options=dict(model["options"]),
            frames=int(model["frames"]),
            size=size if isinstance(size, int) else (int(size[0]), int(size[1])),
            normalisation=(colours(normalisation["mean"]), colours(normalisation["std"])),
            classes=tuple(map(str, description["class_names"])),
            feeding=Feeding.of(description["clip"]) if "clip" in description else None,
        )
    except (KeyError, TypeError, ValueError, IndexError, ModelError) as error:
        raise CheckpointError(f"{source}: not a whole description of a model: {error!r}") from error
