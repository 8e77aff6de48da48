"""Convolutional additive attention: gated queries and keys are added, and weight the values."""

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import GatePool
from vidtok.nn.conv import GridBatchNorm, depthwise
from vidtok.nn.folded import Affine, affine_of, fold_before, fold_conv
from vidtok.nn.inference import conv_form, linear_form
from vidtok.nn.mixers.registry import register


class SpatialGate(nn.Module):
    """One gate for each token from its surroundings: `x · sigmoid(w relu(BN(DWConv(x))))`."""

    def __init__(self, width: int, *, temporal_kernel: int):
        super().__init__()
        self.conv = depthwise(width, temporal_kernel=temporal_kernel)
        self.norm = GridBatchNorm(width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return x * self.score(F.relu(self.norm(self.conv(x)))).sigmoid()


class ChannelGate(nn.Module):
    """One gate for each channel from the pooled tokens: `x · sigmoid(W pool(x))`."""

    def __init__(self, width: int, *, pool: GatePool):
        super().__init__()
        self.pooled = (2, 3) if pool == "time_step" else (1, 2, 3)
        self.score = nn.Linear(width, width, bias=False)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return x * self.score(x.mean(self.pooled, keepdim=True)).sigmoid()


@register("conv_additive")
class ConvAdditive(nn.Module):
    """Convolutional additive token mixer (Zhang et al., "CAS-ViT", arXiv 2408.03703, section 3.2).

        Γ(x) = P( DW(Φ(q) + Φ(k)) ⊙ v )          Φ = channel gate after spatial gate, its own for q and for k

    DW and P are depth-wise convolutions, as in the authors' code; the paper's figure leaves P out. There are no heads
    and no softmax: the cost is linear in the number of tokens. It differs in the third axis: kernels are
    `(temporal_kernel, 3, 3)`, and the channel gates pool over the clip or over each time step (`pool`). One time step
    gives the image form with the middle taps of the kernels.
    """

    needs_grid = True
    map_meaning = "what multiplies the values"

    def __init__(self, width: int, *, temporal_kernel: int = 3, pool: GatePool = "clip"):
        super().__init__()
        self.steps_apart = temporal_kernel == 1 and pool == "time_step"
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.gate_q = nn.Sequential(SpatialGate(width, temporal_kernel=temporal_kernel), ChannelGate(width, pool=pool))
        self.gate_k = nn.Sequential(SpatialGate(width, temporal_kernel=temporal_kernel), ChannelGate(width, pool=pool))
        self.context = depthwise(width, temporal_kernel=temporal_kernel)
        self.proj = depthwise(width, temporal_kernel=temporal_kernel)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        return self.attention_map(x)[1]

    def attention_map(
        self, x: Float[Tensor, "b t h w d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "b t h w d"]]:
        """The context that multiplies the values, `b t h w d` (`b q d` for the flattened tokens in `query`)."""
        q, k, v = rearrange(self.qkv(x), "b t h w (three d) -> three b t h w d", three=3)
        context = self.context(self.gate_q(q) + self.gate_k(k))
        rows = context if query is None else context.flatten(1, 3)[:, query]
        return rows, self.proj(context * v)

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same in fewer and larger steps."""
        return ConvAdditiveForm(self, fused=fused)


class ConvAdditiveForm(nn.Module):
    """`ConvAdditive` for inference: one product for q and k, both spatial gates in one convolution, no batch norms.

    `before`: a norm in front of the mixer, which goes into its first products. `forward` adds `added` to the result.
    """

    needs_grid = True
    map_meaning = ConvAdditive.map_meaning

    def __init__(self, mixer: ConvAdditive, *, before: Affine | None = None, fused: bool):
        super().__init__()
        qkv = mixer.qkv if before is None else fold_before(before, mixer.qkv)
        width = qkv.in_features
        # Apart from v, since a convolution over q and k wants them side by side in memory, and alone.
        self.qk = linear_form(_rows(qkv, slice(0, 2 * width)), fused=fused)
        self.v = linear_form(_rows(qkv, slice(2 * width, None)), fused=fused)
        gates: list[tuple[SpatialGate, ChannelGate]] = [tuple(mixer.gate_q), tuple(mixer.gate_k)]  # pyright: ignore[reportAssignmentType]
        for spatial, _ in gates:
            fold_conv(spatial.conv, affine_of(spatial.norm))
        with torch.device("meta"):
            both = depthwise(2 * width, temporal_kernel=mixer.context.kernel_size[0])
        for name in ("weight", "bias"):
            parts = torch.cat([getattr(spatial.conv, name) for spatial, _ in gates])
            setattr(both, name, nn.Parameter(parts, requires_grad=False))
        self.surroundings = conv_form(both, activation="relu", fused=fused)
        score = torch.block_diag(*(spatial.score.weight for spatial, _ in gates))
        self.score = nn.Parameter(score.detach(), requires_grad=False)
        channels = torch.stack([channel.score.weight for _, channel in gates])
        self.channels = nn.Parameter(channels.detach(), requires_grad=False)
        self.by_step = gates[0][1].pooled == (2, 3)
        self.context = conv_form(mixer.context, fused=fused)
        self.proj = conv_form(mixer.proj, fused=fused)

    def forward(self, x: Float[Tensor, "b t h w d"], added: Tensor | None = None) -> Float[Tensor, "b t h w d"]:
        return self.proj(self._context(x) * self.v(x), added)

    def attention_map(
        self, x: Float[Tensor, "b t h w d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "b t h w d"]]:
        """As that of `ConvAdditive`."""
        context = self._context(x)
        return context if query is None else context.flatten(1, 3)[:, query], self.proj(context * self.v(x))

    def _context(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        qk = self.qk(x)
        gates = F.linear(self.surroundings(qk), self.score).sigmoid()
        qk = qk.unflatten(-1, (2, -1)) * gates[..., None]  # b t h w 2 d
        # The mean as a product with ones, which reads the grid once and in order.
        places = qk.flatten(2, 3) if self.by_step else qk.flatten(1, 3)
        count = places.shape[-3]
        means = places.new_full((1, count), 1 / count) @ places.flatten(-2)
        channels = einsum(means.unflatten(-1, (2, -1)), self.channels, "... one g d, g e d -> ... one g e").sigmoid()
        channels = channels.unsqueeze(2) if self.by_step else channels[:, None, None]  # b t|1 1 1 2 d
        return self.context(torch.addcmul(qk[..., 0, :] * channels[..., 0, :], qk[..., 1, :], channels[..., 1, :]))


def _rows(layer: nn.Linear, rows: slice) -> nn.Linear:
    """A linear layer that gives some of a layer's results."""
    made = nn.Linear(layer.in_features, layer.weight[rows].shape[0], bias=layer.bias is not None, device="meta")
    made.weight = nn.Parameter(layer.weight.detach()[rows].clone(), requires_grad=False)
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.detach()[rows].clone(), requires_grad=False)
    return made
