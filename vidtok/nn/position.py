"""Positions of tokens on the grid `(t, h, w)`, added before the first block."""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import PositionKind
from vidtok.errors import ModelError

Grid = tuple[int, int, int]


class LearnedPosition(nn.Module):
    """A learned vector for each place of the grid, N(0, 0.02²) at the start (Dosovitskiy et al., arXiv 2010.11929)."""

    def __init__(self, width: int, *, grid: Grid):
        super().__init__()
        self.table = nn.Parameter(torch.empty(*grid, width))
        nn.init.normal_(self.table, std=0.02)

    def no_weight_decay(self) -> set[str]:
        """The table."""
        return {"table"}

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return with_table(x, self.table)


class FixedPosition(nn.Module):
    """A table of positions that is not trained and not saved."""

    table: Tensor

    def __init__(self, table: Float[Tensor, "t h w d"]):
        super().__init__()
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return with_table(x, self.table)


def with_table(x: Float[Tensor, "b t h w d"], table: Float[Tensor, "t0 h0 w0 d"]) -> Float[Tensor, "b t h w d"]:
    """x + table; ModelError where the grids differ, since an axis of one would take all places of the other's."""
    if x.shape[1:] != table.shape:
        raise ModelError(
            f"positions of a grid {tuple(table.shape[:3])} (time steps, rows, columns), width {table.shape[3]}, do not "
            f"fit tokens of {tuple(x.shape[1:4])}, width {x.shape[4]}"
        )
    return x + table


def make_position(kind: PositionKind, width: int, *, grid: Grid) -> nn.Module:
    """The position layer of this kind; `none` passes tokens on as they are."""
    if kind == "learned":
        return LearnedPosition(width, grid=grid)
    if kind == "sincos_3d":
        return FixedPosition(sincos_3d(width, grid=grid))
    if kind == "sincos_flat":
        return FixedPosition(sincos_flat(width, grid=grid))
    return nn.Identity()


def sincos_3d(width: int, *, grid: Grid) -> Float[Tensor, "t h w d"]:
    """Sines and cosines of each axis in a sixth of the width: [sin t, cos t, sin column, cos column, sin row, cos row].

    The k-th of width/6 frequencies is 10000^(-6k / width). The order of the axes is scenic's.
    Raises ModelError where the width is no multiple of 6.
    """
    if width % 6:
        raise ModelError(f"sincos_3d positions need a width that 6 divides, got {width}; {width // 6 * 6 + 6} would do")
    omega = 10000.0 ** (-torch.arange(width // 6, dtype=torch.float64) / (width // 6))
    step, row, column = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    angles = [place.unsqueeze(-1) * omega for place in (step, column, row)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=-1).float()


def sincos_flat(width: int, *, grid: Grid) -> Float[Tensor, "t h w d"]:
    """Sines (even channels) and cosines (odd) of the index n = (t·H + h)·W + w of the flattened grid.

    Channels 2i and 2i + 1 have the angle n / 10000^(2i / width). Vaswani et al., arXiv 1706.03762, section 3.5, on the
    flattened grid as in VideoMAE (Tong et al., arXiv 2203.12602).
    """
    t, h, w = grid
    channel = torch.arange(width, dtype=torch.float64) // 2 * 2
    angle = torch.arange(t * h * w, dtype=torch.float64).unsqueeze(-1) / 10000.0 ** (channel / width)
    even = torch.arange(width) % 2 == 0
    table = torch.where(even, torch.sin(angle), torch.cos(angle)).float()
    return rearrange(table, "(t h w) d -> t h w d", t=t, h=h, w=w)


def resize_table(table: Float[Tensor, "t0 h0 w0 d"], grid: Grid) -> Float[Tensor, "t h w d"]:
    """The table on another grid, by linear interpolation whose first and last places stay first and last.

    Equals scipy's `ndimage.zoom(order=1)`, which scenic uses; here on each of the three axes at once.
    """
    if tuple(table.shape[:3]) == tuple(grid):
        return table
    volume = rearrange(table, "t h w d -> 1 d t h w")
    volume = F.interpolate(volume.double(), size=grid, mode="trilinear", align_corners=True)
    return rearrange(volume, "1 d t h w -> t h w d").to(table.dtype)


def tile_table(table: Float[Tensor, "1 h0 w0 d"], grid: Grid) -> Float[Tensor, "t h w d"]:
    """A picture's table for a clip: resized in space, the same for each time step (arXiv 2103.15691, section 3.4)."""
    t, h, w = grid
    return repeat(resize_table(table, (1, h, w)), "1 h w d -> t h w d", t=t)
