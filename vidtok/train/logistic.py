"""Logistic regressions on the same rows, many at once: all folds and penalties in one batched pass of L-BFGS."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from vidtok.choices import ScoreKind

TOLERANCE = 1e-7
CHOOSING_TOLERANCE = 1e-5
"""Largest gradient at which a fit ends, and one that only serves to choose between settings."""
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
    tolerance: float = TOLERANCE,
) -> Fits:
    """Minimise sum of weights · loss + penalty / 2 · |weight|² for each row of `weights`; biases are free.

    Cross-entropy for softmax, the mean over classes of binary cross-entropy for sigmoid, see `losses_of`. A row of
    weight 0 takes no part, so that folds share `z`. In the precision of `z`, until no gradient is above `tolerance`.

    L-BFGS (Nocedal, Math. Comp. 35, 1980), whose first guess is the diagonal of the Hessian where it stands. A step
    costs two products with `z` for the whole batch, and the search along it none: logits are linear in its length.
    """
    problem = _Problem(z=torch.cat([z, z.new_ones(len(z), 1)], dim=1), targets=targets, kind=kind)
    rows, width = problem.z.shape
    size = max(1, LARGEST // (targets.shape[1] * (rows + 2 * HISTORY * width)))
    parts = zip(weights.split(size), penalties.split(size), strict=True)
    flat = torch.cat([problem.solve(*part, tolerance=tolerance) for part in parts])
    found = rearrange(flat, "b (r k) -> b r k", r=width)
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
    """Where the problems of a batch stand: coordinates times classes in one row, the biases last."""

    at: Float[Tensor, "b p"]
    logits: Float[Tensor, "b n k"]
    weights: Float[Tensor, "b n"]
    ridge: Float[Tensor, "b p"]

    def only(self, kept: Bool[Tensor, "b"]) -> "_State":
        return _State(at=self.at[kept], logits=self.logits[kept], weights=self.weights[kept], ridge=self.ridge[kept])


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """What the problems of a batch share: rows with a column of ones, and their targets."""

    z: Float[Tensor, "n r"]
    targets: Float[Tensor, "n k"]
    kind: ScoreKind

    def solve(
        self, weights: Float[Tensor, "b n"], penalties: Float[Tensor, "b"], *, tolerance: float
    ) -> Float[Tensor, "b p"]:
        """The optimum of each problem."""
        classes = self.targets.shape[1]
        ridge = penalties[:, None].repeat(1, self.z.shape[1] * classes)
        ridge[:, -classes:] = 0
        found = torch.zeros_like(ridge)
        left = torch.arange(len(penalties))  # the problems that are not solved yet
        logits = self.z.new_zeros(len(penalties), *self.targets.shape)
        state = _State(at=found.clone(), logits=logits, weights=weights, ridge=ridge)
        pairs: list[_Pair] = []
        gradient, diagonal = self.slopes(state)
        for _ in range(STEPS):
            far = gradient.abs().amax(dim=1) > tolerance
            if not bool(far.all()):
                found[left[~far]] = state.at[~far]
                left, state, gradient, diagonal = left[far], state.only(far), gradient[far], diagonal[far]
                pairs = [pair.only(far) for pair in pairs]
            if not len(left):
                break
            way = -_times_inverse_hessian(gradient, diagonal, pairs)
            step, logits = self.search(state, way, gradient)
            moved, before = step * way, gradient
            state = _State(at=state.at + moved, logits=logits, weights=state.weights, ridge=state.ridge)
            gradient, diagonal = self.slopes(state)
            pairs = [*pairs[-HISTORY + 1 :], _Pair.of(moved, gradient - before)]
        found[left] = state.at
        return found

    def slopes(self, state: _State) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b p"]]:
        """The gradient, and the diagonal of the Hessian."""
        classes = self.targets.shape[1]
        if self.kind == "softmax":
            # Of k classes of one sum the curvature is k / (k - 1) times the diagonal's, where they are equally likely.
            scores, factor, share = state.logits.softmax(dim=-1), classes / max(classes - 1, 1), 1.0
        else:
            scores, factor, share = state.logits.sigmoid(), 1.0, 1 / classes
        weights = share * state.weights[..., None]
        gradient = torch.addcmul(self.back(self.z, weights * (scores - self.targets)), state.ridge, state.at)
        curved = self.back(self.z.square(), factor * weights * scores * (1 - scores)) + state.ridge
        return gradient, curved.clamp(min=1e-9)

    def back(self, z: Float[Tensor, "n r"], rows: Float[Tensor, "b n k"]) -> Float[Tensor, "b p"]:
        """Sums of the rows' coordinates, times what is said of each row: one product for the whole batch."""
        return rearrange(z.T @ rearrange(rows, "b n k -> n (b k)"), "r (b k) -> b (r k)", b=len(rows))

    def search(
        self, state: _State, way: Float[Tensor, "b p"], gradient: Float[Tensor, "b p"]
    ) -> tuple[Float[Tensor, "b 1"], Float[Tensor, "b n k"]]:
        """How far to go, halved until the value falls, and the logits there."""
        columns = rearrange(way, "b (r k) -> r (b k)", r=self.z.shape[1])
        onward = rearrange(self.z @ columns, "n (b k) -> b n k", b=len(way))
        slope, ridged = _dot(way, gradient), state.ridge * way
        along, own = _dot(ridged, state.at), _dot(ridged, way)
        start = _dot(state.weights, losses_of(state.logits, self.targets, kind=self.kind))
        noise = 1e-15 * (1 + start.abs())
        step = torch.ones_like(slope)
        logits = state.logits + onward
        for _ in range(HALVINGS):
            value = _dot(state.weights, losses_of(logits, self.targets, kind=self.kind))
            rise = value - start + step * along + step**2 / 2 * own
            short = rise > DECREASE * step * slope + noise
            if not bool(short.any()):
                break
            step = torch.where(short, step / 2, step)
            logits = torch.addcmul(state.logits, step[..., None], onward)
        return step, logits


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A step, the change of the gradient along it, and 1 over their product: what L-BFGS remembers."""

    moved: Float[Tensor, "b p"]
    turned: Float[Tensor, "b p"]
    rate: Float[Tensor, "b 1"]

    @classmethod
    def of(cls, moved: Tensor, turned: Tensor) -> "_Pair":
        bend = _dot(moved, turned)
        return cls(moved=moved, turned=turned, rate=torch.where(bend > 0, 1 / bend, 0.0))  # 0: nothing to learn from

    def only(self, kept: Bool[Tensor, "b"]) -> "_Pair":
        return _Pair(moved=self.moved[kept], turned=self.turned[kept], rate=self.rate[kept])


def _dot(x: Float[Tensor, "b p"], y: Float[Tensor, "b p"]) -> Float[Tensor, "b 1"]:
    return torch.linalg.vecdot(x, y)[:, None]


def _times_inverse_hessian(
    gradient: Float[Tensor, "b p"], diagonal: Float[Tensor, "b p"], pairs: list[_Pair]
) -> Float[Tensor, "b p"]:
    """The two loops of L-BFGS."""
    left, parts = gradient, []
    for pair in reversed(pairs):
        parts.append(pair.rate * _dot(pair.moved, left))
        left = torch.addcmul(left, parts[-1], pair.turned, value=-1)
    left = left / diagonal
    for pair, part in zip(pairs, reversed(parts), strict=True):
        left = torch.addcmul(left, part - pair.rate * _dot(pair.turned, left), pair.moved)
    return left
