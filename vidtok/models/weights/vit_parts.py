"""What every importer of a ViT does: the kernel of the tokenizer and the positions, fitted to the network's grid."""

import math

from jaxtyping import Float
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.weights.transfer import Transfer
from vidtok.nn.position import Grid, resize_table, tile_table
from vidtok.nn.tubelet import Inflation, inflate


def put_kernel(
    transfer: Transfer, kernel: Float[Tensor, "..."], *, source: str, inflation: Inflation, bias: Float[Tensor, "d"]
) -> None:
    """Give the tokenizer a kernel `d c py px` (inflated in time) or `d c f py px` (as it is), and its bias."""
    target = "tokenizer.projection.weight"
    frames = (transfer.wants(target) or (0, 0, 1))[2]
    if kernel.dim() == 4:
        if frames > 1:
            transfer.note_resized(source, f"inflated to {frames} frames, {inflation}")
        kernel = inflate(kernel, frames, how=inflation)
    transfer.put(target, kernel, source=source)
    transfer.put("tokenizer.projection.bias", bias, source=source)


def put_positions(
    transfer: Transfer,
    rows: Float[Tensor, "n d"],
    *,
    source: str,
    class_row: bool,
    picture: bool,
    prefix: str,
    grid: Grid,
    source_grid: Grid | None,
) -> None:
    """Give an encoder its learned positions: `rows` of the flattened grid, behind the class token's where there is one.

    `picture`: they are a picture's, not a clip's. Other grids are fitted: a picture's is resized and repeated over
    time, a clip's resized on all three axes. `source_grid` as in `grid_of_positions`, which raises.
    """
    token_target = f"{prefix}class_token.position"
    if class_row:
        if transfer.wants(token_target) is not None:
            transfer.put(token_target, rows[0], source=source)
        else:
            transfer.note_resized(source, "without the class token's row")
        rows = rows[1:]
    wanted = transfer.wants(f"{prefix}position.table")
    if wanted is None:
        raise CheckpointError(f"{source}: the network's positions are not learned; set `position`=learned")
    if wanted[0] == 1 < grid[0]:  # separable ones, of which a picture has the part of rows and columns
        if not picture:
            raise CheckpointError(
                f"{source}: positions of a clip, each of a place at a time, fall into no two parts; set "
                "`position`=learned"
            )
        grid = (1, *grid[1:])
    t, h, w = grid_of_positions(len(rows), picture=picture, grid=grid, source_grid=source_grid, source=source)
    table = rows.reshape(t, h, w, -1)
    if (t, h, w) != grid:
        table = tile_table(table, grid) if t == 1 else resize_table(table, grid)
        transfer.note_resized(source, f"{grid_words(t, h, w)} -> {grid_words(*grid)}")
    transfer.put(f"{prefix}position.table", table, source=source)


def put_class_token(transfer: Transfer, key: str, *, prefix: str = "encoder.") -> None:
    """Give the network its class token, or write down that it has none."""
    target = f"{prefix}class_token.token"
    if transfer.wants(target) is None:
        transfer.skip(key, "the network has no class token")
    else:
        transfer.put(target, transfer.take(key).reshape(-1), source=key)


def put_head(transfer: Transfer, weight: str, bias: str) -> None:
    """Give the network its last layer, or leave out one for another number of classes. `weight` is (classes, width)."""
    if not transfer.has(weight):
        return
    want, got = transfer.wants("head.logits.weight"), tuple(transfer.state[weight].shape)
    if got == want:
        transfer.move(weight, "head.logits.weight")
        transfer.move(bias, "head.logits.bias")
        return
    for key in (weight, bias):
        transfer.skip(key, f"a last layer of shape {got}; the network's is {want}")


def grid_of_positions(n: int, *, picture: bool, grid: Grid, source_grid: Grid | None, source: str) -> Grid:
    """The grid that n flattened positions were made on: `source_grid`, else the network's own, or a square picture.

    A number alone does not tell a grid (16 x 14 x 14 places are as many as 56 x 56), so it is never taken apart: a
    clip's positions are on the network's grid (`grid`), and a picture's on its rows and columns or, as ViT's own code
    reads them, a square. Raises CheckpointError where they are on neither, or could be on both.
    """
    if source_grid is not None:
        if math.prod(source_grid) != n:
            raise CheckpointError(f"{source}: {n} positions are no grid of {grid_words(*source_grid)}")
        return source_grid
    side = math.isqrt(n)
    candidates = {(1, *grid[1:]), (1, side, side)} if picture else {grid}
    found = [place for place in candidates if math.prod(place) == n]
    if len(found) != 1:
        raise UnknownGrid(n, source=source, picture=picture)
    return found[0]


class UnknownGrid(CheckpointError):
    """Positions whose grid nobody knows."""

    def __init__(self, n: int, *, source: str, picture: bool):
        kind = "a picture" if picture else "a clip"
        super().__init__(
            f"{source}: cannot tell which grid of {kind} these {n} positions were made on, and a number alone does not "
            f"say; say so with source_grid=({'1' if picture else 't'}, h, w)"
        )


def grid_words(t: int, h: int, w: int) -> str:
    """A grid for messages."""
    return f"{t} x {h} x {w}"
