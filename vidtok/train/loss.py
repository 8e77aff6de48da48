"""The loss of clips against dense targets, which mixing may have blended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vidtok.choices import OverClasses
from vidtok.metrics import ScoreKind, multi_hot


@dataclass(frozen=True, kw_only=True)
class ClassLoss:
    """Sum over the clips of the loss of each; the caller divides by the step's clips. Targets are dense, `b k`.

        softmax   - Σ_k q_k log softmax(z)_k          q = (1 - label_smoothing) target + label_smoothing / k
        sigmoid   - Σ_k [t_k log σ(z_k) + (1 - t_k) log(1 - σ(z_k))],  or its mean over the classes

    The smoothing is that of Szegedy et al., arXiv 1512.00567, section 7; with `kind` sigmoid there is none.
    `over_classes`: PySlowFast takes the mean of the binary cross-entropies, scenic (TokenLearner) their sum.
    """

    classes: int
    kind: ScoreKind = "softmax"
    label_smoothing: float = 0.0
    over_classes: OverClasses = "mean"

    def targets(self, labels: Sequence[tuple[int, ...]], *, device: torch.device | str) -> Float[Tensor, "b k"]:
        """1 for each class that a clip has, before smoothing and mixing."""
        return multi_hot(labels, classes=self.classes).to(device, torch.float32)

    def __call__(self, logits: Float[Tensor, "b k"], targets: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
        # At least in float32, whatever the precision of the forward pass.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        targets = targets.to(logits.dtype)
        if self.kind == "sigmoid":
            each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            return (each.mean(1) if self.over_classes == "mean" else each.sum(1)).sum()
        return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing, reduction="none").sum()

    @property
    def of_chance(self) -> float:
        """The loss of a network that gives every class the same score: log k, and log 2 for each class by itself."""
        if self.kind == "softmax":
            return math.log(self.classes)
        return math.log(2) * (self.classes if self.over_classes == "sum" else 1)
