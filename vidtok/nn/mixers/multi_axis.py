"""Multi-axis attention: windows of neighbours, and windows spread over the whole grid."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from vidtok.choices import Partition
from vidtok.errors import ModelError
from vidtok.nn.inference import linear_form
from vidtok.nn.mixers.registry import register

PATTERN = {
    # (windows of the clip) (tokens of a window) d, one axis after the other in time, rows, columns
    "block": "b (t pt) (h ph) (w pw) d -> (b t h w) (pt ph pw) d",
    "grid": "b (pt t) (ph h) (pw w) d -> (b t h w) (pt ph pw) d",
}


def relative_index(window: tuple[int, int, int]) -> Int64[Tensor, "n n"]:
    """The entry of the flattened bias table for every query and key of a window: key minus query, counted from 0."""
    at = torch.stack(torch.meshgrid(*(torch.arange(p) for p in window), indexing="ij"), dim=-1).flatten(0, 2)
    shift = at[None, :, :] - at[:, None, :] + torch.tensor(window) - 1
    _, wide_h, wide_w = (2 * p - 1 for p in window)
    return (shift[..., 0] * wide_h + shift[..., 1]) * wide_w + shift[..., 2]


@register("multi_axis")
class MultiAxis(nn.Module):
    """Attention within windows with a relative position bias (Tu et al., "MaxViT", arXiv 2204.01697, section 3.2).

        block  a a b b     grid  a b a b       tokens of one letter attend to each other; windows here are 2 × 2
               a a b b           c d c d
               c c d d           a b a b
               c c d d           c d c d

    Logits are `q·k / √(d per head) + bias[key − query]`. It differs from the paper in the third axis, time, and in
    sizes that do not divide: the paper has none (`strict` raises ModelError for them); otherwise the grid is filled up
    at its end with tokens that nobody sees. One time step gives the image form with the middle of the bias table.
    """

    needs_grid = True
    index: Int64[Tensor, "n n"]
    expanded: Float[Tensor, "e n n"] | None
    # In a network that does not choose, blocks take turns, as in the paper.
    alternates: ClassVar = {"partition": ("block", "grid")}

    def __init__(
        self,
        width: int,
        *,
        heads: int = 8,
        window: tuple[int, int, int] = (2, 7, 7),
        partition: Partition = "block",
        strict: bool = False,
    ):
        """`window`: extent in time steps, rows, columns."""
        super().__init__()
        if width % heads:
            raise ModelError(f"multi_axis: a width of {width} does not divide into {heads} heads")
        if min(window) < 1:
            raise ModelError(f"multi_axis: a window's extents count from 1, got {window}")
        self.heads, self.window, self.strict = heads, window, strict
        self.partition: Partition = partition
        self.steps_apart = window[0] == 1
        self.where_heads = None if window[1:] == (1, 1) else slice(None)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.empty(heads, *(2 * p - 1 for p in window)))
        nn.init.normal_(self.bias, std=0.02)
        self.register_buffer("index", relative_index(window), persistent=False)
        self.register_buffer("expanded", None, persistent=False)

    def no_weight_decay(self) -> set[str]:
        """The table of relative positions."""
        return {"bias"}

    def check_grid(self, grid: tuple[int, int, int]) -> None:
        """Raise ModelError, saying what would work, where strict windows do not divide a grid `(t, h, w)`."""
        wrong = [
            f"{size} {axis} do not divide into windows of {extent} "
            f"(these do: {', '.join(str(n) for n in range(1, size + 1) if size % n == 0)})"
            for axis, size, extent in zip(("time steps", "rows", "columns"), grid, self.window, strict=True)
            if size % extent
        ]
        if self.strict and wrong:
            raise ModelError(
                f"multi_axis: window {self.window} on a grid of {grid}: {'; '.join(wrong)}. "
                "Change window or the input size, or set strict=false"
            )

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        _, t, h, w, _ = x.shape
        self.check_grid((t, h, w))
        return self.grid(self.proj(self.among(*self.windows(x))), x)

    def among(self, tokens: Float[Tensor, "n p d"], seen: Bool[Tensor, "n p"] | None) -> Float[Tensor, "n p d"]:
        """What tokens of windows take from each other, before the projection."""
        q, k, v = rearrange(self.qkv(tokens), "n p (three e d) -> three n e p d", three=3, e=self.heads)
        mask = self._position_bias().to(q.dtype)
        if seen is not None:
            mask = mask + torch.zeros_like(seen, dtype=q.dtype).masked_fill(~seen, -torch.inf)[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(q.shape[0], -1, -1, -1))
        return rearrange(y, "n e p d -> n p (e d)")

    def _position_bias(self) -> Float[Tensor, "e p p"]:
        return self.bias.flatten(1)[:, self.index] if self.expanded is None else self.expanded

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same with the table of positions expanded once and for all."""
        self.expanded = self._position_bias().detach().contiguous()
        for name, layer in (("qkv", self.qkv), ("proj", self.proj)):
            setattr(self, name, linear_form(layer, fused=fused))
        return self

    def windows(self, x: Float[Tensor, "b t h w d"]) -> tuple[Float[Tensor, "n p d"], Bool[Tensor, "n p"] | None]:
        """Tokens by window; and which of them are real, where the grid had to be filled up."""
        (pt, ph, pw), (b, t, h, w, _) = self.window, x.shape
        fill = (0, 0, 0, -w % pw, 0, -h % ph, 0, -t % pt)
        tokens = rearrange(F.pad(x, fill), PATTERN[self.partition], pt=pt, ph=ph, pw=pw)
        if not any(fill):
            return tokens, None
        real = F.pad(x.new_ones(b, t, h, w, 1), fill)
        return tokens, rearrange(real, PATTERN[self.partition], pt=pt, ph=ph, pw=pw)[..., 0] > 0

    def grid(self, tokens: Float[Tensor, "n p d"], like: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        """Windows back into the grid, filled-up tokens cut off."""
        (pt, ph, pw), (b, t, h, w, _) = self.window, like.shape
        windows_in, windows_out = PATTERN[self.partition].split(" -> ")
        sizes = {"t": math.ceil(t / pt), "h": math.ceil(h / ph), "w": math.ceil(w / pw)}
        y = rearrange(tokens, f"{windows_out} -> {windows_in}", b=b, pt=pt, ph=ph, pw=pw, **sizes)
        return y[:, :t, :h, :w]

    def attention_map(
        self, x: Float[Tensor, "b t h w d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "b heads q n"], Float[Tensor, "b t h w d"]]:
        """The whole map, zero between windows (`query` chooses rows), and the output computed from it."""
        b, t, h, w, _ = x.shape
        n = t * h * w
        tokens, seen = self.windows(x)
        q, k, _ = rearrange(self.qkv(tokens), "n p (three e d) -> three n e p d", three=3, e=self.heads)
        logits = einsum(q, k, "n e i d, n e j d -> n e i j") * q.shape[-1] ** -0.5 + self._position_bias()
        if seen is not None:
            logits = logits.masked_fill(~seen[:, None, None, :], -torch.inf)
        place = self._tokens_of_windows((t, h, w), x.device)
        weights = rearrange(logits.softmax(-1), "(b n) e i j -> b n e i j", b=b)
        full = x.new_zeros(b, self.heads, n + 1, n + 1)
        for window, at in enumerate(place):
            full[:, :, at[:, None], at[None, :]] = weights[:, window].to(x.dtype)
        full = full[:, :, 1:, 1:]
        into_v, bias_v = self.qkv.weight[-x.shape[-1] :], self.qkv.bias[-x.shape[-1] :]
        value = rearrange(F.linear(x, into_v, bias_v), "b t h w (e d) -> b e (t h w) d", e=self.heads)
        out = self.proj(rearrange(full @ value, "b e (t h w) d -> b t h w (e d)", t=t, h=h, w=w))
        return (full if query is None else full[:, :, query]), out

    def window_numbers(self, grid: tuple[int, int, int]) -> Int64[Tensor, "t h w"]:
        """The number of the window that each token of a grid `(t, h, w)` stands in, counted from 0."""
        place = self._tokens_of_windows(grid, self.bias.device)
        numbers = place.new_empty(grid[0] * grid[1] * grid[2] + 1)
        for window, at in enumerate(place):
            numbers[at] = window
        return numbers[1:].view(grid)

    def _tokens_of_windows(self, grid: tuple[int, int, int], device: torch.device) -> Int64[Tensor, "n p"]:
        """The tokens of each window, counted from 1, so that 0 is where the filled-up ones go."""
        t, h, w = grid
        number = torch.arange(1, t * h * w + 1, device=device, dtype=torch.float64)
        return self.windows(rearrange(number, "(t h w) -> 1 t h w 1", t=t, h=h, w=w))[0][..., 0].long()
