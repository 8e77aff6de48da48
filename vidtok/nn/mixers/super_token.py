"""Super-token attention: tokens are gathered into cells' super tokens, these attend, and give back to the tokens."""

import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.nn.mixers.mhsa import MHSA
from vidtok.nn.mixers.registry import register

Offset = tuple[int, int, int]

PART_BYTES = 16 * 2**20
"""Of the neighbours that are looked at together where no gradient and no graph is made of it, on a processor.

A C library asks the system anew for each tensor of 32 MB and more, and every page of it is faulted in: 48 MB of
neighbours took as long again as all the rest.
"""


def offsets(steps: int) -> list[Offset]:
    """The neighbours of a cell, as (time, row, column): 27, or the image's 9 where there is one step of cells."""
    return list(itertools.product((-1, 0, 1) if steps > 1 else (0,), (-1, 0, 1), (-1, 0, 1)))


def moved(cells: Float[Tensor, "b t h w d"], offset: Offset) -> Float[Tensor, "b t h w d"]:
    """At each cell what stands `offset` further on; zeros come in from outside."""
    i, j, k = offset
    return F.pad(cells, (0, 0, -k, k, -j, j, -i, i))


def gather(supers: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w k d"]:
    """Beside each cell the super tokens of its neighbours; zeros stand where there is no neighbour."""
    return torch.stack([moved(supers, offset) for offset in offsets(supers.shape[1])], dim=-2)


def fold(given: Float[Tensor, "b t h w k d"]) -> Float[Tensor, "b t h w d"]:
    """The transpose of `gather`: what each cell gives to its neighbours, added up where it arrives."""
    parts = zip(given.unbind(-2), offsets(given.shape[1]), strict=True)
    return torch.stack([moved(part, (-i, -j, -k)) for part, (i, j, k) in parts]).sum(0)


def time_parts(cells: Float[Tensor, "b t h w d"], *, tracked: bool) -> list[slice]:
    """The time steps of cells whose neighbours' tokens are looked at together: all of them, or parts of PART_BYTES."""
    steps = cells.shape[1]
    if tracked or cells.device.type != "cpu" or torch.compiler.is_compiling() or torch.compiler.is_exporting():
        return [slice(0, steps)]
    of_a_step = cells.numel() // steps * len(offsets(steps)) * cells.element_size()
    at_once = max(1, PART_BYTES // max(of_a_step, 1))
    return [slice(start, min(start + at_once, steps)) for start in range(0, steps, at_once)]


def gather_part(supers: Float[Tensor, "b t h w d"], part: slice) -> Float[Tensor, "b u h w k d"]:
    """These time steps of `gather`."""
    if part == slice(0, supers.shape[1]):
        return gather(supers)
    first, last = max(part.start - 1, 0), min(part.stop + 1, supers.shape[1])
    return gather(supers[:, first:last])[:, part.start - first : part.stop - first]


def add_folded(sums: Float[Tensor, "b t h w d"], given: Float[Tensor, "b u h w k d"], *, first: int) -> None:
    """Add to `sums` what `fold` makes of the cells from time step `first` on."""
    _, t, h, w, _ = sums.shape
    steps = given.shape[1]
    for place, (i, j, k) in enumerate(offsets(t)):
        begin, end = max(first + i, 0), min(first + steps + i, t)
        to = sums[:, begin:end, max(j, 0) : h + min(j, 0), max(k, 0) : w + min(k, 0)]
        to += given[
            :, begin - first - i : end - first - i, max(-j, 0) : h - max(j, 0), max(-k, 0) : w - max(k, 0), place
        ]


def inside_clip(steps: int, device: torch.device) -> Bool[Tensor, "t k"]:
    """Whether a neighbour of a cell at step t lies inside the clip in time."""
    at = torch.arange(steps, device=device)[:, None] + torch.tensor([o[0] for o in offsets(steps)], device=device)
    return (at >= 0) & (at < steps)


def together(parts: Sequence[Float[Tensor, "b _ h w p k"]]) -> Float[Tensor, "b t h w p k"]:
    """Parts of time one after the other; a single one as it is."""
    first, *others = parts
    return torch.cat([first, *others], dim=1) if others else first


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast switched off, on devices that have it (meta, where costs are counted, has none)."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def in_cells(x: Float[Tensor, "b t h w d"], cells: Offset) -> Float[Tensor, "b tt hh ww p d"]:
    """Tokens by cell, filled up with zeros to whole cells, in float32 at least."""
    st, sh, sw = cells
    _, t, h, w, _ = x.shape
    x = F.pad(x.to(torch.promote_types(x.dtype, torch.float32)), (0, 0, 0, -w % sw, 0, -h % sh, 0, -t % st))
    return rearrange(x, "b (tt st) (hh sh) (ww sw) d -> b tt hh ww (st sh sw) d", st=st, sh=sh, sw=sw)


@torch.no_grad()
def associate(
    tokens: Float[Tensor, "b tt hh ww p d"], *, cells: Offset, steps: int, iterations: int
) -> tuple[Float[Tensor, "b tt hh ww p k"], Float[Tensor, "b tt hh ww 1"]]:
    """Each token's shares in the super tokens near it, and the sum of shares that each super token holds.

    `steps`: how many of the cells' time steps are the clip's; `iterations`: rounds of association.
    """
    (st, sh, sw), cell_steps, scale = cells, tokens.shape[1], tokens.shape[-1] ** -0.5
    real = rearrange(torch.arange(cell_steps * st, device=tokens.device) < steps, "(tt st) -> tt st", st=st)
    real = real.to(tokens.dtype).repeat_interleave(sh * sw, dim=1)
    inside = inside_clip(cell_steps, tokens.device)[:, None, None, None, :]
    with full_precision(tokens.device):
        supers = reduce(tokens, "b tt hh ww p d -> b tt hh ww d", "sum") / real.sum(1)[:, None, None, None]
        for iteration in range(iterations):
            products = [
                einsum(tokens[:, part], gather_part(supers, part), "b t h w p d, b t h w k d -> b t h w p k")
                for part in time_parts(supers, tracked=False)
            ]
            logits = together(products) * scale
            affinity = logits.masked_fill(~inside, -torch.inf).softmax(-1) * real[:, None, None, :, None]
            mass = fold(reduce(affinity, "b t h w p k -> b t h w k 1", "sum"))
            if iteration < iterations - 1:
                supers = pool_cells(tokens, affinity, mass)
    return affinity, mass


def pool_cells(
    tokens: Float[Tensor, "b tt hh ww p d"],
    affinity: Float[Tensor, "b tt hh ww p k"],
    mass: Float[Tensor, "b tt hh ww 1"],
) -> Float[Tensor, "b tt hh ww d"]:
    """Super tokens: the mean of the tokens near them, weighted by their shares."""
    parts = time_parts(tokens[:, :, :, :, 0], tracked=torch.is_grad_enabled() and tokens.requires_grad)
    with full_precision(tokens.device):
        if len(parts) == 1:
            sums = fold(einsum(affinity, tokens, "b t h w p k, b t h w p d -> b t h w k d"))
        else:
            sums = torch.zeros_like(tokens[:, :, :, :, 0])
            for part in parts:
                given = einsum(affinity[:, part], tokens[:, part], "b t h w p k, b t h w p d -> b t h w k d")
                add_folded(sums, given, first=part.start)
        return sums / (mass + 1e-12)


def super_tokens(x: Float[Tensor, "b t h w d"], *, cells: Offset, iterations: int = 1) -> Float[Tensor, "b tt hh ww d"]:
    """The super tokens of `SuperToken` alone, which needs no weights for them: a grid made smaller by what is alike.

    The association is made as in the mixer, behind a LayerNorm, here one without weights; what is put together are the
    tokens as they are. `cells`: extent (time, rows, columns) of a cell in tokens.
    """
    affinity, mass = associate(
        in_cells(F.layer_norm(x, x.shape[-1:]), cells), cells=cells, steps=x.shape[1], iterations=iterations
    )
    return pool_cells(in_cells(x, cells), affinity, mass).to(x.dtype)


@register("super_token")
class SuperToken(nn.Module):
    """Super-token attention (Huang et al., "Vision Transformer with Super Token Sampling", arXiv 2211.11167).

        tokens X ──A──▶ super tokens S = Âᵀ X ──▶ MHSA(S) ──A──▶ A MHSA(S)
        A = softmax over the 27 nearest super tokens of X Sᵀ / √d      (S starts as the mean of its cell)
        Â = A with columns that sum to one

    From the image form (cells of rows × columns, 9 neighbours) it differs in the third axis only. As in the authors'
    code, the association A carries no gradient and is divided by the root of the whole width rather than of a head's;
    rows and columns that do not divide are filled with zero tokens that vote; neighbours outside the picture are zeros
    that take their share of the softmax. In time neither holds: neighbours outside the clip are masked and filled-up
    time steps do not vote, so that one time step gives the image form exactly. The association is computed in
    float32 at least. Cells of one token leave plain multi-head self-attention over all tokens.
    """

    needs_grid = True

    def __init__(self, width: int, *, heads: int = 8, cells: tuple[int, int, int] = (2, 2, 2), iterations: int = 1):
        """`cells`: extent (time, rows, columns) of a cell in tokens; `iterations`: rounds of association."""
        super().__init__()
        if min(cells) < 1 or iterations < 1:
            raise ModelError(
                f"super_token: cells and iterations count from 1, got cells={cells}, iterations={iterations}"
            )
        self.cells, self.iterations = cells, iterations
        self.map_meaning = "attention" if cells == (1, 1, 1) else "attention through super tokens"
        self.refine = MHSA(width, heads=heads)
        for layer in (self.refine.qkv, self.refine.projection):
            layer.reset_parameters()  # the authors leave these layers to PyTorch's initialisation

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        _, t, h, w, _ = x.shape
        if self.cells == (1, 1, 1):
            return self.refine(x)
        tokens = in_cells(x, self.cells)
        affinity, mass = associate(tokens, cells=self.cells, steps=t, iterations=self.iterations)
        refined = self.refine(pool_cells(tokens, affinity, mass).to(x.dtype))
        with full_precision(x.device):
            refined = refined.to(affinity.dtype)
            parts = time_parts(refined, tracked=torch.is_grad_enabled() and refined.requires_grad)
            given = [
                einsum(affinity[:, part], gather_part(refined, part), "b t h w p k, b t h w k d -> b t h w p d")
                for part in parts
            ]
            y = together(given)
        return self._out_of_cells(y, (t, h, w)).to(x.dtype)

    def _out_of_cells(
        self, y: Float[Tensor, "b tt hh ww p d"], grid: tuple[int, int, int]
    ) -> Float[Tensor, "b t h w d"]:
        st, sh, sw = self.cells
        y = rearrange(y, "b tt hh ww (st sh sw) d -> b (tt st) (hh sh) (ww sw) d", st=st, sh=sh, sw=sw)
        return y[:, : grid[0], : grid[1], : grid[2]]

    def attention_map(
        self, x: Float[Tensor, "b t h w d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "b heads q n"], Float[Tensor, "b t h w d"]]:
        """What every token takes from every other through the super tokens, `A P Âᵀ` for each head, and the output.

        P is the super tokens' own attention. Rows sum to at most one: neighbours outside the picture took the rest.
        """
        _, t, h, w, _ = x.shape
        if self.cells == (1, 1, 1):
            return self.refine.attention_map(x, query=query)
        tokens = in_cells(x, self.cells)
        affinity, mass = associate(tokens, cells=self.cells, steps=t, iterations=self.iterations)
        shares = self._dense(affinity, (t, h, w))
        gathered = rearrange(shares, "b n m -> b m n") / (rearrange(mass, "b t h w 1 -> b (t h w) 1") + 1e-12)
        among, _ = self.refine.attention_map(pool_cells(tokens, affinity, mass).to(x.dtype))
        weights = einsum(shares, among.to(shares.dtype), gathered, "b n i, b e i j, b j m -> b e n m").to(x.dtype)
        # Biases come in once for each super token, so a token gets them in proportion to what it takes in all.
        taken = shares.sum(-1, keepdim=True).to(x.dtype)
        into_v, bias_v = (part.chunk(3)[2] for part in (self.refine.qkv.weight, self.refine.qkv.bias))
        value = rearrange(F.linear(x, into_v), "b t h w (e d) -> b e (t h w) d", e=self.refine.heads)
        y = rearrange(weights @ value, "b e n d -> b n (e d)") + taken * bias_v
        out = F.linear(y, self.refine.projection.weight) + taken * self.refine.projection.bias
        return (weights if query is None else weights[:, :, query]), out.view(x.shape)

    @property
    def gathers(self) -> bool:
        """Whether there are super tokens: cells of one token leave plain attention."""
        return self.cells != (1, 1, 1)

    @torch.no_grad()
    def association(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b n m"]:
        """Each token's shares in the super tokens, at most 1 in all: neighbours outside the picture take theirs."""
        affinity, _ = associate(in_cells(x, self.cells), cells=self.cells, steps=x.shape[1], iterations=self.iterations)
        return self._dense(affinity, (x.shape[1], x.shape[2], x.shape[3]))

    def _dense(self, affinity: Float[Tensor, "b tt hh ww p k"], grid: tuple[int, int, int]) -> Float[Tensor, "b n m"]:
        """The shares as a full matrix, tokens by super tokens; those of neighbours outside the picture are dropped."""
        _, tt, hh, ww, _, _ = affinity.shape
        # Super tokens are numbered from 1, so that 0 is where the neighbours outside the picture go.
        number = torch.arange(1, tt * hh * ww + 1, device=affinity.device, dtype=torch.float64)
        near = gather(rearrange(number, "(t h w) -> 1 t h w 1", t=tt, h=hh, w=ww))
        near = rearrange(near, "1 t h w k 1 -> 1 t h w 1 k").long().expand_as(affinity)
        full = affinity.new_zeros(*affinity.shape[:-1], tt * hh * ww + 1).scatter_add(-1, near, affinity)
        return self._out_of_cells(full[..., 1:], grid).flatten(1, 3)
