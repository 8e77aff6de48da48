"""Positions of tokens on the grid `(t, h, w)`, added before the first block; time's part may come later."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import PositionKind
from vidtok.errors import ModelError

Grid = tuple[int, int, int]
SEPARABLE: Mapping[PositionKind, PositionKind] = MappingProxyType(
    {"learned_separable": "learned", "sincos_separable": "sincos_3d"}
)
"""Kinds whose part of time is apart, and what they are where there is one time step."""


class LearnedPosition(nn.Module):
    """A learned vector for each place of the grid, N(0, 0.02²) at the start (Dosovitskiy et al., arXiv 2010.11929).

    `spread`: an axis on which the table has one place serves all places of the tokens; see `with_table`.
    """

    def __init__(self, width: int, *, grid: Grid, spread: bool = False):
        super().__init__()
        self.spread = spread
        self.table = nn.Parameter(torch.empty(*grid, width))
        nn.init.normal_(self.table, std=0.02)

    def no_weight_decay(self) -> set[str]:
        """The table."""
        return {"table"}

    def forward(self, x: Float[Tensor, "b t *places d"]) -> Float[Tensor, "b t *places d"]:
        return with_table(x, self.table, spread=self.spread)


class FixedPosition(nn.Module):
    """A table of positions that is not trained and not saved; `spread` as in `LearnedPosition`."""

    table: Tensor

    def __init__(self, table: Float[Tensor, "t h w d"], *, spread: bool = False):
        super().__init__()
        self.spread = spread
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Float[Tensor, "b t *places d"]) -> Float[Tensor, "b t *places d"]:
        return with_table(x, self.table, spread=self.spread)


def with_table(
    x: Float[Tensor, "b t *places d"], table: Float[Tensor, "t0 h0 w0 d"], *, spread: bool = False
) -> Float[Tensor, "b t *places d"]:
    """x + table; ModelError where the grids differ, since an axis of one would take all places of the other's.

    `spread`: that is wanted here, and learned tokens `b t s d` take a table with one row and one column.
    """
    places = tuple(table.shape[:3]) if x.ndim == 5 else (table.shape[0], 1)
    wide = x.ndim == 5 or (spread and table.shape[1:3].numel() == 1)
    fits = all(own == other or (spread and own == 1) for own, other in zip(places, x.shape[1:-1], strict=True))
    if not (wide and fits and x.shape[-1] == table.shape[3]):
        raise ModelError(
            f"positions of a grid {tuple(table.shape[:3])} (time steps, rows, columns), width {table.shape[3]}, do not "
            f"fit tokens of {tuple(x.shape[1:-1])}, width {x.shape[-1]}"
        )
    return x + table.reshape(*places, -1)


def make_position(kind: PositionKind, width: int, *, grid: Grid) -> nn.Module:
    """The layer of this kind for the beginning; `none` passes tokens on as they are.

    Of the separable kinds this is the part of rows and columns; `make_time_position` gives the other.
    """
    t, h, w = grid
    if t > 1 and kind in SEPARABLE:
        if h * w == 1:
            return nn.Identity()
        if kind == "learned_separable":
            return LearnedPosition(width, grid=(1, h, w), spread=True)
        table = sincos_3d(width, grid=(1, h, w))
        table[..., : width // 3] = 0
        return FixedPosition(table, spread=True)
    kind = SEPARABLE.get(kind, kind)
    if kind == "learned":
        return LearnedPosition(width, grid=grid)
    if kind == "sincos_3d":
        return FixedPosition(sincos_3d(width, grid=grid))
    if kind == "sincos_flat":
        return FixedPosition(sincos_flat(width, grid=grid))
    return nn.Identity()


def make_time_position(kind: PositionKind, width: int, *, grid: Grid) -> nn.Module | None:
    """The part of a separable kind that tells time steps apart, for any number of tokens in each; None of others.

        learned_separable   a learned vector for each place of a time step + one for each time step
        sincos_separable    the two terms of which `sincos_3d` is the sum: each is zero where the other stands

    A vector for each axis of time and space is used by MViT (Fan et al., arXiv 2104.11227); here time's is added later,
    so that what comes before is the same for a time step wherever it stands in a clip.
    """
    steps = grid[0]
    if kind not in SEPARABLE or steps == 1:
        return None
    if kind == "learned_separable":
        return LearnedPosition(width, grid=(steps, 1, 1), spread=True)
    table = sincos_3d(width, grid=(steps, 1, 1))
    table[..., width // 3 :] = 0
    return FixedPosition(table, spread=True)


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
