"""A clip's maps as one vector: means and changes over time, and what moves where, for a linear layer behind them."""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

REACH = 2
"""Cells to each side in which a cell is looked for in the next frame."""
REGIONS = 2
"""Rows and columns of regions over which the motion summary is averaged."""
NEIGHBOURS = (2 * REACH + 1) ** 2


def frame_means(maps: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t d"]:
    """Each frame's mean over its cells."""
    return reduce(maps, "b t h w d -> b t d", "mean")


def time_statistics(frames: Float[Tensor, "b t d"]) -> Float[Tensor, "b 3*d"]:
    """Mean, standard deviation (divisor t) and mean absolute difference from frame to frame, side by side.

    A clip of one frame deviates and differs by zero.
    """
    mean = reduce(frames, "b t d -> b d", "mean")
    deviation = frames.std(dim=1, correction=0)
    return torch.cat([mean, deviation, _differences(frames).mean(dim=1)], dim=-1)


def map_statistics(maps: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b 2*d"]:
    """The mean over the clip, and the largest absolute difference of a cell from one frame to the next."""
    mean = reduce(maps, "b t h w d -> b d", "mean")
    return torch.cat([mean, reduce(_differences(maps), "b t h w d -> b d", "max")], dim=-1)


def motion_summary(maps: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b 100"]:
    """Where cells find themselves again in the next frame: 2 x 2 regions times 5 x 5 displacements.

        s[region, dy, dx] = mean over t and the region's cells (y, x) of cos(m[t, y, x], m[t + 1, y + dy, x + dx])

    with m the maps less their mean over the clip. Displacements go from -2 to 2 cells, rows first; those that lead out
    of the picture do not count. Regions are rows first too; a picture of one row or column has it in both. Order in
    time turns s about: what moves right in the clip moves left in the reversed one. A clip of one frame gives zeros.
    """
    batch, steps, height, width, _ = maps.shape
    if steps < 2:
        return maps.new_zeros(batch, REGIONS * REGIONS * NEIGHBOURS)
    centred = maps - reduce(maps, "b t h w d -> b 1 1 1 d", "mean")
    unit = F.normalize(centred.float(), dim=-1)
    padded = F.pad(unit[:, 1:], (0, 0, REACH, REACH, REACH, REACH))
    inside = F.pad(maps.new_ones(height, width), (REACH, REACH, REACH, REACH))
    rows, columns = _halves(height), _halves(width)
    found = []
    for dy in range(2 * REACH + 1):
        for dx in range(2 * REACH + 1):
            there = padded[:, :, dy : dy + height, dx : dx + width]
            cosine = reduce(unit[:, :-1] * there, "b t h w d -> b h w", "sum") / (steps - 1)
            counts = inside[dy : dy + height, dx : dx + width]
            found.append(
                [cosine[:, r, c].sum(dim=(1, 2)) / counts[r, c].sum().clamp(min=1) for r in rows for c in columns]
            )
    return rearrange(torch.stack([torch.stack(one) for one in found]), "n r b -> b (r n)").to(maps.dtype)


def _differences(x: Float[Tensor, "b t *rest"]) -> Float[Tensor, "b t2 *rest"]:
    """Absolute differences from frame to frame; one of zeros for a single frame."""
    return x.diff(dim=1).abs() if x.shape[1] > 1 else torch.zeros_like(x)


def _halves(length: int) -> tuple[slice, slice]:
    """The first and the second half of an axis; the middle of an odd one belongs to both."""
    return slice(0, (length + 1) // 2), slice(length // 2, length)
