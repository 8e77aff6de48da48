"""How good a probe with attention is on videos that it has not seen; its settings are fixed, so nothing is chosen."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import ScoreKind
from vidtok.train.attentive import Recipe, TokenRows, attentive_logits, fit_attentive
from vidtok.train.nested import Videos
from vidtok.train.probe import held_out


def left_out_token_logits(
    make: Callable[[], nn.Module],
    tokens: Mapping[str, TokenRows],
    videos: Videos,
    *,
    kind: ScoreKind,
    recipe: Recipe | None = None,
    seed: int = 0,
    share: int = 1,
    said: Callable[[float], object] | None = None,
) -> dict[str, Float[Tensor, "n k"]]:
    """The logits of every video by a probe that was trained without its fold; as `left_out_logits` in all else.

    `tokens` are those of the clips as they are, under the first key, which the probe learns from, and of the same clips
    under controls. `share`: train on one part in so many of what a fold trains on. `said` is told how far it is.
    """
    plain = next(iter(tokens.values()))
    targets = videos.targets
    logits = {control: torch.zeros_like(targets) for control in tokens}
    divisions = held_out(videos.folds)
    for number, out in enumerate(divisions):

        def tell(own: float, before: int = number) -> None:
            if said is not None:
                said((before + own) / len(divisions))

        rows = (~out).nonzero().flatten().tolist()
        if share > 1:
            parts = videos.inner(rows, folds=share, seed=seed)
            rows = [row for row, part in zip(rows, parts, strict=True) if part == 0]
        probe = fit_attentive(make, plain, targets, rows, kind=kind, recipe=recipe, seed=seed, said=tell)
        left = out.nonzero().flatten().tolist()
        for control, each in tokens.items():
            logits[control][out] = attentive_logits(probe, each, left)
    return logits
