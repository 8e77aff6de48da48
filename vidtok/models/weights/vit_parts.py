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
    prefix: str,
    grid: Grid,
    source_grid: Grid | None,
) -> None:
    """Give an encoder its learned positions: `rows` of the flattened grid, behind the class token's where there is one.

    Other grids are fitted: a picture's is resized and repeated over time, a clip's resized on all three axes.
    """
    token_target = f"{prefix}class_token.position"
    if class_row:
        if transfer.wants(token_target) is not None:
            transfer.put(token_target, rows[0], source=source)
        else:
            transfer.note_resized(source, "without the class token's row")
        rows = rows[1:]
    if transfer.wants(f"{prefix}position.table") is None:
        raise CheckpointError(f"{source}: the network's positions are not learned; set model.position=learned")
    t, h, w = source_grid or _guess_grid(len(rows), grid, source)
    if t * h * w != len(rows):
        raise CheckpointError(f"{source}: {len(rows)} positions are no grid of {t} x {h} x {w}")
    table = rows.reshape(t, h, w, -1)
    if (t, h, w) != grid:
        table = tile_table(table, grid) if t == 1 else resize_table(table, grid)
        transfer.note_resized(source, f"{t} x {h} x {w} -> {' x '.join(map(str, grid))}")
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


def _guess_grid(n: int, grid: Grid, source: str) -> Grid:
    """The grid behind n flattened positions: the network's own, its clip with square pictures, or a square picture."""
    t, h, w = grid
    if n == t * h * w:
        return grid
    for steps in (1, t):
        side = math.isqrt(n // steps)
        if steps * side * side == n:
            return steps, side, side
    raise CheckpointError(
        f"{source}: cannot tell which grid {n} positions come from; say so with source_grid=(t, h, w)"
    )
