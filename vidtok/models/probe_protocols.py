"""How V-JEPA 2's published probes see a video: which clips, which depths of the encoder, and what is averaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.video.equal_parts import vjepa2_clips

TokensOf = Callable[[Float[Tensor, "n f c y x"]], Sequence[Float[Tensor, "n m d"]]]
"""An encoder: the tokens of some clips at each of the protocol's depths, through its final norm."""


@dataclass(frozen=True, kw_only=True)
class ProbeProtocol:
    """One probe of V-JEPA 2 (arXiv 2506.09985), by the configuration that its authors published with it."""

    encoder: str
    """The encoder in the authors' words, with the side of its pictures where that is not 256 pixels."""
    classes: int
    frames: int
    stride: int
    segments: int
    """Clips of a video whose tokens the probe sees at once."""
    crops: int = 3
    """Squares along the longer side, left to right or top to bottom; their scores are averaged."""
    size: int
    """Pixels of the square's side, to which the shorter side of the picture is scaled."""
    layers: tuple[int, ...] | None = None
    """Blocks of the encoder, counted from 0, whose outputs the probe sees side by side; None: the last one's alone."""

    def clips(self, length: int) -> list[Int64[Tensor, "f"]]:
        """The frames of each segment's clip in a video of `length` frames; see `vjepa2_clips`."""
        return vjepa2_clips(length, self.segments, frames=self.frames, stride=self.stride)


VJEPA2_PROBES: Mapping[str, ProbeProtocol] = MappingProxyType(
    {
        "ssv2-vitl-16x2x3": ProbeProtocol(encoder="vitl", classes=174, frames=16, stride=4, segments=2, size=256),
        "ssv2-vitg-384-64x2x3": ProbeProtocol(
            encoder="vitg-384", classes=174, frames=64, stride=2, segments=2, size=384
        ),
        "diving48-vitl-256": ProbeProtocol(
            encoder="vitl", classes=48, frames=32, stride=2, segments=4, size=256, layers=(17, 19, 21, 23)
        ),
        "diving48-vitg-384-32x4x3": ProbeProtocol(
            encoder="vitg-384", classes=48, frames=32, stride=2, segments=4, size=384, layers=(24, 29, 34, 39)
        ),
    }
)
"""By the names of the authors' files, without their ending."""


def find_protocol(name: str) -> ProbeProtocol:
    """The protocol of the probe in the file `name`.pt; ModelError, with the names that there are, for another."""
    if name not in VJEPA2_PROBES:
        raise ModelError(f"no protocol of a probe is called {name!r}; there are {', '.join(VJEPA2_PROBES)}")
    return VJEPA2_PROBES[name]


@torch.inference_mode()
def probe_scores(
    probe: nn.Module, tokens_of: TokensOf, clips: Float[Tensor, "b g v f c y x"], *, protocol: ProbeProtocol
) -> Float[Tensor, "b k"]:
    """The scores of videos, of each of which there are `g` segments' clips in `v` crops.

    The tokens of all segments and all depths go before the probe together; softmax is taken for each crop, and its mean
    over the crops. Raises ModelError where clips or depths are not those of the protocol.
    """
    batch, segments, crops, frames = clips.shape[:4]
    told = (protocol.segments, protocol.crops, protocol.frames)
    if (segments, crops, frames) != told:
        raise ModelError(
            f"the protocol has {told[0]} segments, {told[1]} crops and {told[2]} frames, "
            f"these clips {segments}, {crops} and {frames}"
        )
    depths, scores = 1 if protocol.layers is None else len(protocol.layers), []
    for crop in range(crops):  # one after the other, since tokens of a whole video are many
        levels = tokens_of(clips[:, :, crop].flatten(0, 1))
        if len(levels) != depths:
            raise ModelError(f"the protocol has {depths} depths of the encoder, there are tokens of {len(levels)}")
        tokens = torch.cat([level.unflatten(0, (batch, segments)).flatten(1, 2) for level in levels], dim=1)
        scores.append(probe(tokens).softmax(dim=-1))
    return torch.stack(scores).mean(dim=0)
