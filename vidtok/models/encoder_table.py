"""The encoders worth naming: what they cost, what clips they take, whose they are and what they are good at."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EncoderRecord:
    """An encoder that `vidtok fit --encoder` takes by this name; any other of its kind can be named too."""

    name: str
    parameters: int
    """Of the encoder alone, without what its makers have behind it."""
    macs: int
    """Multiply-adds of one clip of `frames` frames; of one frame where `frames` is None."""
    frames: int | None
    """Frames of a clip; None: each frame by itself, any number of them."""
    size: int
    """Rows and columns of a picture."""
    licence: str
    """Of the weights, as timm or their makers state it."""
    good_at: str
    tried: bool
    """Run here with its own weights. The others are known by their code alone: their sizes are counted, their loading
    is tested with weights drawn at random, and nothing is promised of what they reach."""


ENCODERS = (
    EncoderRecord(
        name="tf_efficientnet_lite0",
        parameters=3_371_072,
        macs=0,
        frames=None,
        size=224,
        licence="Apache-2.0",
        good_at="small sets on a processor: what a frame shows, and by the motion summary what moves where",
        tried=True,
    ),
)


def list_encoders() -> tuple[EncoderRecord, ...]:
    """The encoders that are worth naming, those that were tried first; see `EncoderRecord` for what is said of each."""
    return ENCODERS
