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
    With `weights` w the term of each class is multiplied: q_k by w_k for softmax (as torch's `weight`, but without its
    division by the weights of a batch, so that a clip counts the same in any batch), t_k by w_k for sigmoid (torch's
    `pos_weight`). Raises ValueError unless there is a weight, finite and not negative, for each class.
    """

    classes: int
    kind: ScoreKind = "softmax"
    label_smoothing: float = 0.0
    over_classes: OverClasses = "mean"
    weights: tuple[float, ...] | None = None

    def __post_init__(self):
        weights = self.weights
        if weights is not None and (len(weights) != self.classes or not all(0 <= w < math.inf for w in weights)):
            raise ValueError(f"{self.classes} classes need as many weights of 0 or more, got {list(weights)}")

    def targets(self, labels: Sequence[tuple[int, ...]], *, device: torch.device | str) -> Float[Tensor, "b k"]:
        """1 for each class that a clip has, before smoothing and mixing."""
        return sent(multi_hot(labels, classes=self.classes).to(torch.float32), torch.device(device))

    def __call__(self, logits: Float[Tensor, "b k"], targets: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
        # At least in float32, whatever the precision of the forward pass.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        targets = targets.to(logits.dtype)
        weights = None
        if self.weights is not None:
            weights = sent(torch.tensor(self.weights, dtype=logits.dtype), logits.device)
        if self.kind == "sigmoid":
            each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none", pos_weight=weights)
            return (each.mean(1) if self.over_classes == "mean" else each.sum(1)).sum()
        smoothing = self.label_smoothing
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing, reduction="none").sum()

    @property
    def of_chance(self) -> float:
        """The loss of a network that gives every class the same score: log k, and log 2 for each class by itself.

        With weights times their mean, or 1 where that is less.
        """
        weight = 1.0 if self.weights is None else max(1.0, sum(self.weights) / len(self.weights))
        if self.kind == "softmax":
            return weight * math.log(self.classes)
        return weight * math.log(2) * (self.classes if self.over_classes == "sum" else 1)


def sent(values: Float[Tensor, "..."], device: torch.device) -> Float[Tensor, "..."]:
    """Values of the CPU on a device, which is not waited for: from ordinary memory torch would wait for a GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def balanced_weights(counts: Sequence[int], *, videos: int, kind: ScoreKind) -> tuple[float, ...]:
    """Weights by which every class counts as much, however many of the `videos` have it; 1 for a class that none has.

    softmax   videos / (k n_k)          k the classes that there are, n_k the videos of each: the mean weight is 1
    sigmoid   (videos - n_k) / n_k      those without the class weigh as much as those with it
    """
    present = sum(count > 0 for count in counts)
    if kind == "sigmoid":
        return tuple((videos - count) / count if count else 1.0 for count in counts)
    return tuple(videos / (present * count) if count else 1.0 for count in counts)
