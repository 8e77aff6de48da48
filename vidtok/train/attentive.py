"""Training probes with attention on tokens that are kept: fixed settings, and the same bits for the same seed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import ScoreKind
from vidtok.errors import DataError
from vidtok.infer.summarise import read_tokens
from vidtok.train.logistic import balance, losses_of

TokenRows = Callable[[Sequence[int]], Float[Tensor, "b *axes d"]]
"""The tokens of some videos, by row."""
WARM_UP = 0.1
"""Share of the steps in which the rate rises."""
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a probe is trained: AdamW, the rate rises for a tenth of the steps and falls to zero by a cosine."""

    epochs: int = 20
    batch: int = 16
    rate: float = 1e-3
    decay: float = 0.05
    least_steps: int = 0
    """As many more epochs as it takes to come to so many steps, however few the videos."""

    def epochs_of(self, videos: int) -> int:
        """Passes over so many videos."""
        return max(self.epochs, math.ceil(self.least_steps / math.ceil(videos / self.batch)))


@dataclass(frozen=True)
class TokenFiles:
    """The tokens of videos, one file each, read when they are asked for; `grid` gives each frame rows and columns.

    `order`: which time step stands where; None: as they were kept. DataError where files have tokens of different
    shapes.
    """

    paths: Sequence[Path]
    grid: tuple[int, int] | None = None
    order: tuple[int, ...] | None = None

    def __call__(self, rows: Sequence[int]) -> Float[Tensor, "b *axes d"]:
        read = [read_tokens(self.paths[row]) for row in rows]
        for row, each in zip(rows, read, strict=True):
            if each.shape != read[0].shape:
                raise DataError(
                    f"{self.paths[row]}: tokens of shape {tuple(each.shape)}, {self.paths[rows[0]]} has "
                    f"{tuple(read[0].shape)}; take all clips in one way"
                )
        tokens = torch.stack(read).float()
        tokens = tokens if self.order is None else tokens[:, list(self.order)]
        return tokens if self.grid is None else tokens.unflatten(2, self.grid)


def fit_attentive(
    make: Callable[[], nn.Module],
    tokens: TokenRows,
    targets: Float[Tensor, "n k"],
    rows: Sequence[int],
    *,
    kind: ScoreKind = "softmax",
    recipe: Recipe | None = None,
    budgets: Sequence[int] = (),
    seed: int = 0,
    said: Callable[[float], object] | None = None,
) -> nn.Module:
    """A probe trained on these rows, in evaluation state; losses and weights of classes are those of `fit_logistic`.

    `budgets`: for a TokenLearnerProbe trained with nested dropout, the numbers of learned tokens between which every
    step draws. Equal arguments give equal bits, and no other random number is touched. `said` is told the share of the
    steps that are done.
    """
    recipe = recipe or Recipe()
    weights = balance(targets[list(rows)]) if kind == "softmax" else torch.ones(len(rows), dtype=targets.dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = make().train()
        decayed = [p for p in probe.parameters() if p.ndim > 1]
        plain = [p for p in probe.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
        epochs, parts = recipe.epochs_of(len(rows)), math.ceil(len(rows) / recipe.batch)
        steps = epochs * parts
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, steps))
        for epoch in range(epochs):
            # In even parts: a last one of a clip or two would be noise.
            for number, part in enumerate(torch.randperm(len(rows)).tensor_split(parts), start=1):
                own = [rows[int(k)] for k in part]
                budget = {"tokens": budgets[int(torch.randint(len(budgets), ()))]} if budgets else {}
                losses = losses_of(probe(tokens(own), **budget).to(targets.dtype), targets[own], kind=kind)
                optimizer.zero_grad()
                (weights[part] * losses).mean().backward()
                nn.utils.clip_grad_norm_(probe.parameters(), LARGEST_GRADIENT)
                optimizer.step()
                schedule.step()
                if said is not None:
                    said((epoch * parts + number) / steps)
    return probe.eval()


def rate_share(step: int, steps: int) -> float:
    """What share of the rate a step has: rising to 1 over the first tenth of the steps, then a cosine towards 0."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


@torch.inference_mode()
def attentive_logits(
    probe: nn.Module, tokens: TokenRows, rows: Sequence[int], *, batch: int = 16, budget: int | None = None
) -> Float[Tensor, "r k"]:
    """The logits of these rows, in double precision; `budget`: with so many learned tokens for each frame."""
    options = {} if budget is None else {"tokens": budget}
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    return torch.cat([probe(tokens(part), **options).double() for part in parts])
