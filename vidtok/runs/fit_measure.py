"""How good what `fit` makes is on videos that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import ScoreKind
from vidtok.runs.fit_model import SUMMARIES
from vidtok.runs.fit_set import EncodedVideos
from vidtok.runs.fit_tokens import TokenFit
from vidtok.runs.laps import Laps
from vidtok.train.nested import Videos, left_out_logits, standard_error
from vidtok.train.probe import figure_of


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The logits of each video by a probe that has not seen it, as it is (`plain`) and under controls."""

    logits: Mapping[str, Float[Tensor, "n k"]]
    measured: Sequence[int]
    """The videos that these are, where only some were left out."""
    half: float | None = None
    """The figure with half of what each fold trains on; None where that was not tried."""

    def figures(self, videos: Videos, *, kind: ScoreKind) -> dict[str, float]:
        """top1, or mAP for sigmoid, as the videos are and under each control."""
        kept = torch.tensor(list(self.measured))
        return {
            control: figure_of(each[kept], videos.targets[kept], kind=kind) for control, each in self.logits.items()
        }

    def hits(self, videos: Videos) -> list[bool]:
        """Whether the first class is the right one, of each that was measured."""
        right = self.logits["plain"].argmax(dim=1) == videos.targets.argmax(dim=1)
        return right[torch.tensor(list(self.measured))].tolist()

    def spread(self, videos: Videos, *, kind: ScoreKind, seed: int) -> float | None:
        """Standard error of top1."""
        if kind == "sigmoid":
            return None
        return standard_error(self.hits(videos), [videos.groups[row] for row in self.measured], seed=seed)


def measure_folds(
    encoded: EncodedVideos, attentive: TokenFit | None, videos: Videos, laps: Laps, *, kind: ScoreKind, seed: int
) -> Measured:
    """Leave every fold out once, and look at one frame alone; the probe is linear, chosen within what is trained on,
    unless it is one with attention.
    """
    if attentive is None:
        logits = left_out_logits(encoded.features, videos, kind=kind, among=SUMMARIES, seed=seed)
    else:
        logits = attentive.left_out(videos, kind=kind, seed=seed)
    laps.end("choosing and measuring")
    logits |= left_out_logits({"one": encoded.one_frame}, videos, kind=kind, seed=seed)
    laps.end("one frame")
    return Measured(logits=logits, measured=range(len(videos.labels)))


def measure_half(
    found: Measured,
    encoded: EncodedVideos,
    attentive: TokenFit | None,
    videos: Videos,
    laps: Laps,
    *,
    kind: ScoreKind,
    seed: int,
) -> Measured:
    """With the figure of half of the clips, where half of them can still be divided."""
    if not videos.can_halve():
        return found
    if attentive is None:
        own = {"plain": encoded.features["plain"]}
        halved = left_out_logits(own, videos, kind=kind, among=SUMMARIES, seed=seed, share=2)
    else:
        halved = attentive.left_out(videos, kind=kind, seed=seed, share=2)
    laps.end("half of the clips")
    return replace(found, half=figure_of(halved["plain"], videos.targets, kind=kind))
