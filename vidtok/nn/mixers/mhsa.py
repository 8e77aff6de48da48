"""Multi-head self-attention over all tokens, over time, over space, or half of the heads over each."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from vidtok.choices import Axes, QkvBias
from vidtok.errors import ModelError
from vidtok.nn.inference import linear_form
from vidtok.nn.mixers.registry import register

MAP_ROWS = 256


@register("mhsa")
class MHSA(nn.Module):
    """Multi-head self-attention, softmax(q kᵀ / √(d / heads)) v, then a projection.

    axes   joint   every token looks at every token (ViViT's Model 1); any axes between `b` and `d`
           time    tokens of the same place look at each other  ┐ one after the other in a block: Model 3
           space   tokens of the same time step                 ┘
           split   the first half of the heads looks over time, the second over space (Model 4)

    Vaswani et al., arXiv 1706.03762; the forms over space and time are those of Arnab et al., ViViT, arXiv 2103.15691,
    section 3.3. q, k and v come from one matrix with rows [q | k | v]. `qkv_bias`: "full"; "qv" (VideoMAE: a key's
    bias has no effect, softmax removes it); "none". Weights start xavier-uniform, each of q, k, v by itself, and
    biases at zero.
    Raises ModelError for a width that the heads do not divide, and for `split` with an odd number of heads.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int = 12,
        axes: Axes = "joint",
        qkv_bias: QkvBias = "full",
    ):
        super().__init__()
        if heads < 1 or width % heads:
            fits = [n for n in range(1, width + 1) if width % n == 0]
            raise ModelError(f"{heads} heads do not divide a width of {width}; {', '.join(map(str, fits))} would")
        if axes == "split" and heads % 2:
            raise ModelError(f"axes 'split' gives half of the heads to time, so it needs an even number, got {heads}")
        self.heads = heads
        self.axes: Axes = axes
        self.needs_grid = axes != "joint"
        self.steps_apart = axes == "space"
        # Along time alone a token meets those of its own place only, so that the map says nothing of where.
        self.where_heads = {"time": None, "split": slice(heads // 2, None)}.get(axes, slice(None))
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias == "full")
        self.projection = nn.Linear(width, width)
        for rows in self.qkv.weight.chunk(3):
            nn.init.xavier_uniform_(rows)
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        if qkv_bias == "full":
            nn.init.zeros_(self.qkv.bias)
        self.q_bias = nn.Parameter(torch.zeros(width)) if qkv_bias == "qv" else None
        self.v_bias = nn.Parameter(torch.zeros(width)) if qkv_bias == "qv" else None

    def forward(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        shape = x.shape
        if not self.needs_grid:
            q, k, v = self._queries_keys_values(x.flatten(1, -2))
            out = F.scaled_dot_product_attention(q, k, v)
            return self.projection(rearrange(out, "b heads n d -> b n (heads d)").reshape(shape))
        if x.dim() != 5:
            raise ModelError(f"mhsa with axes {self.axes!r} needs the grid b t h w d, got {x.dim()} axes")
        t, h, w = shape[1:4]
        qkv = self._queries_keys_values(x.flatten(1, -2))
        if self.axes == "split":
            halves = [part.chunk(2, dim=1) for part in qkv]
            over_time = self._along("time", [half[0] for half in halves], t)
            out = torch.cat([over_time, self._along("space", [half[1] for half in halves], t)], dim=1)
        else:
            out = self._along("time" if self.axes == "time" else "space", qkv, t)
        return self.projection(rearrange(out, "b heads (t h w) d -> b t h w (heads d)", t=t, h=h, w=w))

    def attention_map(
        self, x: Float[Tensor, "b *axes d"], *, query: Int64[Tensor, "q"] | None = None
    ) -> tuple[Float[Tensor, "b heads r n"], Float[Tensor, "b *axes d"]]:
        """The weights of each token (or of those that `query` names) on every token, and the output made from them.

        Tokens are counted along the flattened axes; pairs that cannot see each other have weight 0. `MAP_ROWS` rows
        are made at a time, so that with `query` the whole map never stands in memory.
        """
        q, k, v = self._queries_keys_values(x.flatten(1, -2))
        n = q.shape[2]
        kept, outs = [], []
        for start in range(0, n, MAP_ROWS):
            rows = torch.arange(start, min(start + MAP_ROWS, n), device=x.device)
            logits = (q[:, :, rows] * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
            if self.needs_grid:
                logits = logits.masked_fill(~self._sees(tuple(x.shape[1:4]), rows), float("-inf"))
            weights = logits.softmax(dim=-1)
            outs.append(weights @ v)
            if query is None:
                kept.append(weights)
            else:
                kept.append(weights[:, :, query[(query >= start) & (query < start + MAP_ROWS)] - start])
        out = self.projection(rearrange(torch.cat(outs, dim=2), "b heads n d -> b n (heads d)").reshape(x.shape))
        attention = torch.cat(kept, dim=2)
        if query is not None:
            # Rows came out in the order of their blocks; hand them back in the order in which they were asked for.
            block = torch.div(query, MAP_ROWS, rounding_mode="floor")
            attention = attention[:, :, torch.argsort(torch.argsort(block, stable=True), stable=True)]
        return attention, out

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same with all biases in the product."""
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
            self.qkv.bias = nn.Parameter(bias.detach(), requires_grad=False)
            self.q_bias = self.v_bias = None
        for name, layer in (("qkv", self.qkv), ("projection", self.projection)):
            setattr(self, name, linear_form(layer, fused=fused))
        return self

    def _queries_keys_values(self, x: Float[Tensor, "b n d"]) -> list[Float[Tensor, "b heads n dh"]]:
        rows = self.qkv(x)
        if self.q_bias is not None and self.v_bias is not None:
            rows = rows + torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        return list(rearrange(rows, "b n (qkv heads d) -> qkv b heads n d", qkv=3, heads=self.heads))

    def _along(
        self, axis: Literal["time", "space"], qkv: list[Float[Tensor, "b g n dh"]], steps: int
    ) -> Float[Tensor, "b g n dh"]:
        """Attention within each place (time) or each time step (space), which are folded into the batch."""
        if axis == "time":
            q, k, v = (rearrange(part, "b g (t p) d -> (b p) g t d", t=steps) for part in qkv)
            out = F.scaled_dot_product_attention(q, k, v)
            return rearrange(out, "(b p) g t d -> b g (t p) d", b=qkv[0].shape[0])
        q, k, v = (rearrange(part, "b g (t p) d -> (b t) g p d", t=steps) for part in qkv)
        out = F.scaled_dot_product_attention(q, k, v)
        return rearrange(out, "(b t) g p d -> b g (t p) d", t=steps)

    def _sees(self, grid: tuple[int, ...], rows: Int64[Tensor, "r"]) -> Bool[Tensor, "g r n"]:
        """Which tokens each row's token looks at, for each head (or for all of them at once)."""
        t, h, w = grid
        token = torch.arange(t * h * w, device=rows.device)
        same_place = (rows.unsqueeze(1) % (h * w)) == (token % (h * w))
        same_step = torch.div(rows, h * w, rounding_mode="floor").unsqueeze(1) == torch.div(
            token, h * w, rounding_mode="floor"
        )
        if self.axes == "time":
            return same_place.unsqueeze(0)
        if self.axes == "space":
            return same_step.unsqueeze(0)
        half = self.heads // 2
        return torch.stack([same_place] * half + [same_step] * half)
