"""A network's time steps one by one: what is kept of each, and the logits of a clip from what was kept.

    frames of a step ──per_step──► kept        the costly part, once for each time step
    kept × steps     ──join──────► logits      the part in which time steps meet, for each clip that they are of

`join(per_step(clip))` is the network's answer to the clip. What can be taken apart the network itself says.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from vidtok.errors import ModelError
from vidtok.models.network import COLOURS, Network


def check_apart(network: Network) -> None:
    """Raise ModelError, with what would help, for a network that takes whole clips alone."""
    reason = network.why_whole()
    if reason is not None:
        raise ModelError(
            f"the time steps of this network cannot be computed one by one: {reason}. Those of ViViT can with "
            "`mixer`={name: mhsa, axes: space} up to a `token_learner` and `position`=learned_separable or "
            "sincos_separable; so can those of vivit_factorised, and of encoders that see each frame by itself, with "
            "and without a probe behind"
        )


def per_step(network: Network, x: Shaped[Tensor, "..."]) -> tuple[Tensor, ...]:
    """What is kept of each time step, `b t …` each, from normalised frames `b f c y x` of one or more whole time steps.

    Raises ModelError for frames of another size or number, and for a network that takes whole clips alone.
    """
    check_apart(network)
    _, rows, columns = network.clip
    own = network.step_frames
    fits = x.ndim == 5 and x.shape[2] == COLOURS and x.shape[1] >= 1 and x.shape[1] % own == 0
    if not fits or (rows, columns) != tuple(x.shape[3:]) or not x.is_floating_point():
        raise ModelError(
            f"{type(network).__name__} takes time steps of {own} normalised frame{'s' * (own > 1)} of {COLOURS} {rows} "
            f"{columns} (colours, rows, columns), as b f c y x, got {' '.join(map(str, x.shape))}, {x.dtype}"
        )
    return network.steps(x)


def join(network: Network, kept: tuple[Tensor, ...]) -> Float[Tensor, "b k"]:
    """The logits of clips, from what `per_step` kept of their time steps; ModelError for another number of these."""
    check_apart(network)
    wanted = network.grid[0]
    if any(part.shape[1] != wanted for part in kept):
        raise ModelError(
            f"{type(network).__name__} has clips of {wanted} time steps, got {[part.shape[1] for part in kept]}"
        )
    return network.logits_of_steps(*kept)


def in_order(parts: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """What was kept of time steps at several times, put together along time."""
    return tuple(torch.cat(part, dim=1) for part in zip(*parts, strict=True))
