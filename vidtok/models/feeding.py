"""How a model takes a clip from a video: what is saved with it beside its network, normalisation and class names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, get_args

from vidtok.choices import Fit, Sampling, ScoreKind, Short
from vidtok.errors import ModelError

CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sampling": get_args(Sampling),
        "short": get_args(Short),
        "fit": get_args(Fit),
        "scores": get_args(ScoreKind),
    }
)


@dataclass(frozen=True, kw_only=True)
class Feeding:
    """From a video to the clip that a model was trained on; frames and size of the clip are the architecture's.

    Raises ModelError for values that contradict each other.
    """

    stride: int
    """Source frames (frames at `target_fps`, where that is set) from one kept frame to the next."""
    target_fps: float | None = None
    """Rate to which the video is resampled by presentation time first; None: its own frames."""
    sampling: Sampling = "vidtok"
    """The rule by which clips lie, see vidtok.video.protocols."""
    short: Short | None = None
    """What a clip does behind the end of a video that is too short; None: as the rule has it."""
    short_side: int | None
    """Pixels to which the shorter side of the picture is scaled before the centre is cut out of it; None: no cut."""
    fit: Fit = "crop"
    """How a picture of another shape than the clip's becomes one of it."""
    scores: ScoreKind = "softmax"
    """What makes scores of logits: softmax where a video has one label, sigmoid where it may have any number."""
    video_seconds: float | None = None
    """How long the videos were that it learned from, in the middle, where clips are taken from the whole of them."""

    def __post_init__(self):
        if self.stride < 1 or (self.short_side is not None and self.short_side < 1):
            raise ModelError(f"stride and short_side count from 1, got {self.stride} and {self.short_side}")
        if self.fit == "crop" and self.short_side is None:
            raise ModelError("fit=crop needs short_side, to which a picture is scaled before the crop is cut out of it")
        if self.target_fps is not None and self.target_fps <= 0:
            raise ModelError(f"target_fps is a rate above 0, got {self.target_fps}")
        if self.video_seconds is not None and not self.video_seconds > 0:
            raise ModelError(f"video_seconds is a length above 0, got {self.video_seconds}")

    def describe(self) -> dict[str, Any]:
        """Plain values for config.json."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Feeding":
        """The inverse of `describe`. TypeError for keys that are not known, or missing, ModelError for wrong values."""
        for name, choices in CHOICES.items():
            if name in plain and plain[name] not in choices and (name, plain[name]) != ("short", None):
                raise ModelError(f"{name} is one of {', '.join(choices)}, got {plain[name]!r}")
        return cls(**plain)
