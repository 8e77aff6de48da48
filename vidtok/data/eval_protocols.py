"""Protocols of testing by name: which clips and crops of a video are seen, and what is made of their scores.

| name           | clips (see vidtok/video/protocols.py)   | crops             | of all views         |
|----------------|-----------------------------------------|-------------------|----------------------|
| pyslowfast_10x3| 10, `pyslowfast`                        | 3 of the picture  | mean of scores       |
| mmaction2_10x3 | 10, `mmaction2`                         | 3 of the picture  | mean of scores       |
| scenic_4x3     | 4, `scenic`                             | 3 out of it       | mean of logits       |
| videomae_5x3   | 5, `videomae`                           | 3 of the picture  | mean of scores       |
| vjepa2_Nx3     | N = 2, 4 or 8, `vjepa2`                 | 3 of the picture  | mean of scores       |
| charades_10x3  | 10, `pyslowfast`                        | 3 of the picture  | highest score        |
| something_1x3  | one frame of each part, `segments`      | 3 of the picture  | mean of scores       |

Of the picture: its shorter side is scaled to the crop's, so that three crops see all of it. Out of it: scaled to
`short_side`, as the model's own config has it (256 for a crop of 224 with ViViT).

Where we differ: PySlowFast and V-JEPA 2 add scores up, which orders classes as their mean does. V-JEPA 2 shows its
probe the tokens of all clips at once; so it is with the network `vjepa2_probe`, and any other gives scores for each
clip.
Charades is measured by both definitions of mAP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vidtok.choices import Aggregate, Crops, EvalProtocol, Sampling, ScoreKind


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How videos are seen in testing, and what is made of what a network says of each view."""

    sampling: Sampling
    clips: int
    crops: Crops = 3
    aggregate: Aggregate = "scores"
    whole: bool = True
    """Whether the picture's shorter side becomes the crop's, so that the crops see all of it."""
    scores: ScoreKind | None = None
    """The kind of scores that it is made for, where it is made for one."""


PROTOCOLS: Mapping[EvalProtocol, Protocol] = MappingProxyType(
    {
        "pyslowfast_10x3": Protocol(sampling="pyslowfast", clips=10),
        "mmaction2_10x3": Protocol(sampling="mmaction2", clips=10),
        "scenic_4x3": Protocol(sampling="scenic", clips=4, aggregate="logits", whole=False),
        "videomae_5x3": Protocol(sampling="videomae", clips=5),
        "vjepa2_2x3": Protocol(sampling="vjepa2", clips=2),
        "vjepa2_4x3": Protocol(sampling="vjepa2", clips=4),
        "vjepa2_8x3": Protocol(sampling="vjepa2", clips=8),
        "charades_10x3": Protocol(sampling="pyslowfast", clips=10, aggregate="max", scores="sigmoid"),
        "something_1x3": Protocol(sampling="segments", clips=1, scores="softmax"),
    }
)


def protocol_words(name: EvalProtocol) -> dict[str, int | str]:
    """What a protocol says in the words of a config's section `eval`."""
    own = PROTOCOLS[name]
    return {"clips": own.clips, "crops": own.crops, "aggregate": own.aggregate}
