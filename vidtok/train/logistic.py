"""Logistic regressions on the same rows, many at once: all folds and penalties in one batched pass of L-BFGS."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from vidtok.choices import ScoreKind

TOLERANCE = 1e-7
"""Largest gradient at which a fit ends."""
STEPS, HISTORY, HALVINGS = 500, 12, 40
LARGEST = 2**26
"""Numbers that the problems of one pass keep; what is more comes in several passes."""
DECREASE = 1e-4
"""Of what the slope promises, the part that a step must reach."""


@dataclass(frozen=True, kw_only=True)
class Fits:
    """Linear layers, one for each problem of a batch: logits = z weight + bias."""

    weight: Float[Tensor, "b r k"]
    bias: Float[Tensor, "b k"]

    def __call__(self, z: Float[Tensor, "n r"]) -> Float[Tensor, "b n k"]:
        return einsum(z, self.weight, "n r, b r k -> b n k") + self.bias[:, None]

    def split(self, size: int) -> list["Fits"]:
        """The layers in so many at a time."""
        parts = zip(self.weight.split(size), self.bias.split(size), strict=True)
        return [Fits(weight=weight, bias=bias) for weight, bias in parts]


def fit_logistics(
    z: Float[Tensor, "n r"],
    targets: Float[Tensor, "n k"],
    *,
    weights: Float[Tensor, "b n"],
    penalties: Float[Tensor, "b"],
    kind: ScoreKind = "softmax",
) -> Fits:
    """Minimise sum of weights · loss + penalty / 2 · |weight|² for each row of `weights`; biases are free.

    Cross-entropy for softmax, the mean over classes of binary cross-entropy for sigmoid, see `losses_of`. A row of
    weight 0 takes no part, so that folds share `z`. In the precision of `z`, until no gradient is above TOLERANCE.

    L-BFGS (Nocedal, Math. Comp. 35, 1980), whose first guess is the diagonal of the Hessian where it stands. A step
    costs two products with `z` for the whole batch, and the search along it none: logits are linear in its length.
    """
    problem = _Problem(z=torch.cat([z, z.new_ones(len(z), 1)], dim=1), targets=targets, kind=kind)
    rows, width = problem.z.shape
    size = max(1, LARGEST // (targets.shape[1] * (rows + 2 * HISTORY * width)))
    found = torch.cat([problem.solve(*part) for part in zip(weights.split(size), penalties.split(size), strict=True)])
    return Fits(weight=found[:, :-1], bias=found[:, -1])


def losses_of(
    logits: Float[Tensor, "*b n k"], targets: Float[Tensor, "n k"], *, kind: ScoreKind
) -> Float[Tensor, "*b n"]:
    """The loss of each row: cross-entropy, or the mean over classes of binary cross-entropy."""
    if kind == "softmax":
        return -(targets * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    return (F.softplus(logits) - targets * logits).mean(dim=-1)


def balance(targets: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
    """Weights with a mean of 1 by which every class that has videos counts the same."""
    counts = targets.sum(dim=0)
    shares = torch.where(counts > 0, 1 / counts.clamp(min=1e-300), torch.zeros_like(counts))
    weights = targets @ shares
    return weights / weights.mean()


@dataclass(frozen=True, kw_only=True)
class _State:
    """Where the problems of a batch stand; the last coordinate is the bias."""

    at: Float[Tensor, "b r1 k"]
    logits: Float[Tensor, "b n k"]
    weights: Float[Tensor, "b n"]
    ridge: Float[Tensor, "b r1 1"]

    def only(self, kept: Bool[Tensor, "b"]) -> "_State":
        return _State(at=self.at[kept], logits=self.logits[kept], weights=self.weights[kept], ridge=self.ridge[kept])


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """What the problems of a batch share: rows with a column of ones, and their targets."""

    z: Float[Tensor, "n r1"]
    targets: Float[Tensor, "n k"]
    kind: ScoreKind

    def solve(self, weights: Float[Tensor, "b n"], penalties: Float[Tensor, "b"]) -> Float[Tensor, "b r1 k"]:
        """The optimum of each problem."""
        classes, width = self.targets.shape[1], self.z.shape[1]
        found = self.z.new_zeros(len(penalties), width, classes)
        left = torch.arange(len(penalties))  # the problems that are not solved yet
        ridge = penalties[:, None, None].expand(-1, width, 1).clone()
        ridge[:, -1] = 0
        logits = self.z.new_zeros(len(penalties), *self.targets.shape)
        state = _State(at=found.clone(), logits=logits, weights=weights, ridge=ridge)
        pairs: list[tuple[Tensor, Tensor]] = []
        gradient, diagonal = self.slopes(state)
        for _ in range(STEPS):
            far = gradient.abs().amax(dim=(1, 2)) > TOLERANCE
            if not bool(far.all()):
                found[left[~far]] = state.at[~far]
                left, state, gradient, diagonal = left[far], state.only(far), gradient[far], diagonal[far]
                pairs = [(moved[far], turned[far]) for moved, turned in pairs]
            if not len(left):
                break
            way = -_times_inverse_hessian(gradient, diagonal, pairs)
            step, logits = self.search(state, way, gradient)
            moved, before = step * way, gradient
            state = _State(at=state.at + moved, logits=logits, weights=state.weights, ridge=state.ridge)
            gradient, diagonal = self.slopes(state)
            pairs = [*pairs[-HISTORY + 1 :], (moved, gradient - before)]
        found[left] = state.at
        return found

    def slopes(self, state: _State) -> tuple[Float[Tensor, "b r1 k"], Float[Tensor, "b r1 k"]]:
        """The gradient, and the diagonal of the Hessian."""
        classes = self.targets.shape[1]
        if self.kind == "softmax":
            # Of k classes of one sum the curvature is k / (k - 1) times the diagonal's, where they are equally likely.
            scores, factor, share = state.logits.softmax(dim=-1), classes / max(classes - 1, 1), 1.0
        else:
            scores, factor, share = state.logits.sigmoid(), 1.0, 1 / classes
        weights = share * state.weights[..., None]
        gradient = self.back(weights * (scores - self.targets)) + state.ridge * state.at
        curved = self.back(weights * factor * scores * (1 - scores), squared=True) + state.ridge
        return gradient, curved.clamp(min=1e-9)

    def back(self, rows: Float[Tensor, "b n k"], *, squared: bool = False) -> Float[Tensor, "b r1 k"]:
        """Sums of the rows' coordinates, or of their squares; one product for the whole batch."""
        z = self.z.square() if squared else self.z
        return rearrange(z.T @ rearrange(rows, "b n k -> n (b k)"), "r (b k) -> b r k", b=len(rows))

    def search(
        self, state: _State, way: Float[Tensor, "b r1 k"], gradient: Float[Tensor, "b r1 k"]
    ) -> tuple[Float[Tensor, "b 1 1"], Float[Tensor, "b n k"]]:
        """How far to go, halved until the value falls, and the logits there."""
        onward = rearrange(self.z @ rearrange(way, "b r k -> r (b k)"), "n (b k) -> b n k", b=len(way))
        slope = (way * gradient).sum(dim=(1, 2))
        along, own = ((state.ridge * way * each).sum(dim=(1, 2)) for each in (state.at, way))
        start = (state.weights * losses_of(state.logits, self.targets, kind=self.kind)).sum(dim=1)
        noise = 1e-15 * (1 + start.abs())
        step = way.new_ones(len(way))
        for _ in range(HALVINGS):
            logits = state.logits + step[:, None, None] * onward
            value = (state.weights * losses_of(logits, self.targets, kind=self.kind)).sum(dim=1)
            rise = value - start + step * along + step**2 / 2 * own
            short = rise > DECREASE * step * slope + noise
            if not bool(short.any()):
                break
            step = torch.where(short, step / 2, step)
        return step[:, None, None], state.logits + step[:, None, None] * onward


def _times_inverse_hessian(
    gradient: Float[Tensor, "b r1 k"], diagonal: Float[Tensor, "b r1 k"], pairs: list[tuple[Tensor, Tensor]]
) -> Float[Tensor, "b r1 k"]:
    """The two loops of L-BFGS over steps and the changes of the gradient along them."""
    dot = lambda x, y: (x * y).sum(dim=(1, 2), keepdim=True)  # noqa: E731
    left, parts = gradient, []
    for moved, turned in reversed(pairs):
        bend = dot(moved, turned)
        rate = torch.where(bend > 0, 1 / bend.clamp(min=1e-300), torch.zeros_like(bend))
        parts.append((rate, rate * dot(moved, left)))
        left = left - parts[-1][1] * turned
    left = left / diagonal
    for (moved, turned), (rate, part) in zip(pairs, reversed(parts), strict=True):
        left = left + (part - rate * dot(turned, left)) * moved
    return left
