"""Convolutional additive attention: gated queries and keys are added, and weight the values."""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import GatePool
from vidtok.nn.conv import GridBatchNorm, depthwise
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
