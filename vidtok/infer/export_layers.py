"""Layers as they are exported: the numbers of those whose weights they take, by few operators on at most five axes."""

import itertools

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from vidtok.choices import Partition
from vidtok.nn.mixers.multi_axis import MultiAxis
from vidtok.nn.mixers.super_token import SuperToken, inside_clip, offsets
from vidtok.nn.tubelet import Tubelet, evenly_spaced

Extents = tuple[int, int, int]


class LinearTubelet(nn.Module):
    """`Tubelet` as one matrix product: runtimes without 3-D convolution (XNNPACK) have it, and it is exact."""

    def __init__(self, tubelet: Tubelet):
        super().__init__()
        self.tubelet, self.sampled_frames = tubelet.tubelet, tubelet.sampled_frames
        self.weight = nn.Parameter(rearrange(tubelet.projection.weight.detach(), "d c f y x -> d (f c y x)"))
        self.bias = tubelet.projection.bias

    def forward(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        frames, colours, rows, columns = x.shape[1:]
        if self.sampled_frames is not None and self.sampled_frames < frames:
            x = x[:, evenly_spaced(frames, self.sampled_frames).to(x.device)]
            frames = self.sampled_frames
        pf, py, px = self.tubelet
        t, h, w = frames // pf, rows // py, columns // px
        x = x.reshape(-1, h, py, w, px).transpose(2, 3)
        x = x.reshape(-1, pf * colours, h * w, py * px).transpose(1, 2)
        return F.linear(x.reshape(-1, t, h, w, pf * colours * py * px), self.weight, self.bias)


class PlainMultiAxis(MultiAxis):
    """`MultiAxis` with its windows made axis by axis, and its attention as two products and a softmax.

    Written as one rearrangement of eight axes behind the fused attention it cannot be traced with a free batch: torch
    asks whether the strides of a copy are those of a view, and answers for the batch of the example.
    """

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        t, h, w = x.shape[1:4]
        self.check_grid((t, h, w))
        return self.grid(self.proj(self.among(*self.windows(x))), x)

    def windows(self, x: Float[Tensor, "b t h w d"]) -> tuple[Float[Tensor, "n p d"], Bool[Tensor, "m p"] | None]:
        """Tokens by window; and which of one clip's are real, where the grid had to be filled up."""
        (pt, ph, pw), (t, h, w) = self.window, x.shape[1:4]
        fill = (0, 0, 0, -w % pw, 0, -h % ph, 0, -t % pt)
        if not any(fill):
            return in_windows(x, self.window, self.partition), None
        real = in_windows(F.pad(x.new_ones(1, t, h, w, 1), fill), self.window, self.partition)
        return in_windows(F.pad(x, fill), self.window, self.partition), real[..., 0] > 0

    def among(self, tokens: Float[Tensor, "n p d"], seen: Bool[Tensor, "m p"] | None) -> Float[Tensor, "n p d"]:
        """What tokens of windows take from each other, before the projection."""
        p, d = tokens.shape[1:]
        width = d // self.heads
        q, k, v = (part.reshape(-1, p, self.heads, width).transpose(1, 2) for part in self.qkv(tokens).chunk(3, dim=-1))
        logits = q @ k.transpose(2, 3) * width**-0.5 + self._position_bias()
        if seen is not None:
            logits = logits.unflatten(0, (-1, seen.shape[0]))
            logits = logits.masked_fill(~seen[:, None, None, :], -torch.inf).flatten(0, 1)
        return (logits.softmax(-1) @ v).transpose(1, 2).reshape(-1, p, d)

    def grid(self, tokens: Float[Tensor, "n p d"], like: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        """Windows back into the grid, filled-up tokens cut off."""
        t, h, w = like.shape[1:4]
        sizes = windows_of((t, h, w), self.window)
        y = out_of_windows(tokens, sizes, self.window, self.partition)
        is_filled = any(size % extent for size, extent in zip((t, h, w), self.window, strict=True))
        return y[:, :t, :h, :w] if is_filled else y


class PlainSuperToken(SuperToken):
    """`SuperToken` with its neighbours taken by one index each way.

    As it stands there, 27 shifted copies are made and put back in every layer, which are hundreds of nodes of a file.
    """

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        if self.cells == (1, 1, 1):
            return self.refine(x)
        t, h, w, d = x.shape[1:]
        st, sh, sw = self.cells
        fill = (0, 0, 0, -w % sw, 0, -h % sh, 0, -t % st)
        sizes = windows_of((t, h, w), self.cells)
        steps, cells = sizes[0], sizes[0] * sizes[1] * sizes[2]
        tokens = in_windows(F.pad(x, fill) if any(fill) else x, self.cells, "block")
        tokens = tokens.reshape(-1, cells, st * sh * sw, d)
        real = torch.tensor([[float(i * st + j < t) for j in range(st)] for i in range(steps)])
        real = real.repeat_interleave(sh * sw, dim=1).repeat_interleave(sizes[1] * sizes[2], dim=0)  # cells, tokens
        inside = inside_clip(steps, x.device).repeat_interleave(sizes[1] * sizes[2], dim=0)
        there, back = neighbours(sizes)
        supers = tokens.sum(2) / real.sum(1)[:, None]
        for iteration in range(self.iterations):
            logits = tokens @ taken(supers, there).transpose(2, 3) * d**-0.5
            affinity = logits.masked_fill(~inside[:, None, :], -torch.inf).softmax(-1) * real[:, :, None]
            mass = given_back(affinity.sum(2)[..., None], back)
            if iteration < self.iterations - 1:
                supers = given_back(affinity.transpose(2, 3) @ tokens, back) / (mass + 1e-12)
        pooled = given_back(affinity.transpose(2, 3) @ tokens, back) / (mass + 1e-12)
        refined = self.refine(pooled.reshape(-1, *sizes, d)).reshape(-1, cells, d)
        y = affinity @ taken(refined, there)
        y = out_of_windows(y.flatten(0, 1), sizes, self.cells, "block")
        return y[:, :t, :h, :w] if any(fill) else y


def neighbours(sizes: Extents) -> tuple[Int64[Tensor, "n k"], Int64[Tensor, "n k"]]:
    """Which cell stands at each offset from a cell; and, of all pairs of cell and offset, those that lead to a cell.

    Cells are counted through; the number behind the last, of cells and of pairs, stands for what lies outside.
    """
    ranges = offsets(sizes[0])
    cells, pairs = sizes[0] * sizes[1] * sizes[2], sizes[0] * sizes[1] * sizes[2] * len(ranges)

    def number(at: Extents) -> int | None:
        if any(not 0 <= i < size for i, size in zip(at, sizes, strict=True)):
            return None
        return (at[0] * sizes[1] + at[1]) * sizes[2] + at[2]

    there, back = [], []
    for at in itertools.product(*(range(size) for size in sizes)):
        ahead = [number((at[0] + i, at[1] + j, at[2] + k)) for i, j, k in ranges]
        behind = [number((at[0] - i, at[1] - j, at[2] - k)) for i, j, k in ranges]
        there.append([cells if each is None else each for each in ahead])
        back.append([pairs if each is None else each * len(ranges) + k for k, each in enumerate(behind)])
    return torch.tensor(there), torch.tensor(back)


def taken(cells: Float[Tensor, "b n d"], there: Int64[Tensor, "n k"]) -> Float[Tensor, "b n k d"]:
    """Beside each cell what stands at its neighbours, zeros outside; `vidtok.nn.mixers.super_token.gather`."""
    return F.pad(cells, (0, 0, 0, 1))[:, there]


def given_back(given: Float[Tensor, "b n k d"], back: Int64[Tensor, "n k"]) -> Float[Tensor, "b n d"]:
    """What each cell gives to its neighbours, added up where it arrives; `vidtok.nn.mixers.super_token.fold`."""
    return F.pad(given.flatten(1, 2), (0, 0, 0, 1))[:, back].sum(2)


def windows_of(grid: Extents, window: Extents) -> Extents:
    """How many windows fill a grid along each axis."""
    (t, h, w), (pt, ph, pw) = grid, window
    return -(-t // pt), -(-h // ph), -(-w // pw)


def in_windows(x: Float[Tensor, "b t h w d"], window: Extents, partition: Partition) -> Float[Tensor, "n p d"]:
    """A grid that windows fill, window by window; see `vidtok.nn.mixers.multi_axis.PATTERN`."""
    (pt, ph, pw), d = window, x.shape[-1]
    t, h, w = (size // extent for size, extent in zip(x.shape[1:4], window, strict=True))
    if partition == "block":  # t pt h ph w pw
        x = x.reshape(-1, ph, w, pw * d).transpose(1, 2)  # t pt h w ph pw
        x = x.reshape(-1, pt, h * w, ph * pw * d).transpose(1, 2)  # t h w pt ph pw
    else:  # pt t ph h pw w
        x = x.reshape(-1, ph, h, pw * w * d).transpose(1, 2)  # pt t h ph pw w
        x = x.reshape(-1, ph * pw, w, d).transpose(1, 2)  # pt t h w ph pw
        x = x.reshape(-1, pt, t * h * w, ph * pw * d).transpose(1, 2)  # t h w pt ph pw
    return x.reshape(-1, pt * ph * pw, d)


def out_of_windows(
    tokens: Float[Tensor, "n p d"], sizes: Extents, window: Extents, partition: Partition
) -> Float[Tensor, "b t h w d"]:
    """The inverse of `in_windows`, for so many windows along each axis."""
    (t, h, w), (pt, ph, pw), d = sizes, window, tokens.shape[-1]
    if partition == "block":
        x = tokens.reshape(-1, h * w, pt, ph * pw * d).transpose(1, 2)
        x = x.reshape(-1, w, ph, pw * d).transpose(1, 2)
    else:
        x = tokens.reshape(-1, t * h * w, pt, ph * pw * d).transpose(1, 2)
        x = x.reshape(-1, w, ph * pw, d).transpose(1, 2)
        x = x.reshape(-1, h, ph, pw * w * d).transpose(1, 2)
    return x.reshape(-1, t * pt, h * ph, w * pw, d)
