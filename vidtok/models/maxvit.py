"""MaxViT: each block an inverted-bottleneck convolution, attention in blocks, and attention over a spread grid."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.registry import register
from vidtok.models.stages import PerStage, StagedNetwork, stage_grids
from vidtok.nn.conv import GridBatchNorm, GridConv, SqueezeExcite, clip_grid
from vidtok.nn.drop_path import DropPath
from vidtok.nn.folded import affine_of, fold_before, fold_behind, fold_conv
from vidtok.nn.inference import conv_form, inference_layer, linear_form
from vidtok.nn.looks import inputs_of, last_where, look_on_grid
from vidtok.nn.mixers.multi_axis import MultiAxis
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap

MAXVIT_SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        name: MappingProxyType({"stem": stem, "widths": widths, "depths": depths, "drop_path": drop_path})
        for name, stem, widths, depths, drop_path in (
            ("maxvit_tiny_tf_224", 64, (64, 128, 256, 512), (2, 2, 5, 2), 0.2),
            ("maxvit_small_tf_224", 64, (96, 192, 384, 768), (2, 2, 5, 2), 0.3),
            ("maxvit_base_tf_224", 64, (96, 192, 384, 768), (2, 6, 14, 2), 0.4),
            ("maxvit_large_tf_224", 128, (128, 256, 512, 1024), (2, 6, 14, 2), 0.6),
            ("maxvit_xlarge_tf_224", 192, (192, 384, 768, 1536), (2, 6, 14, 2), 0.6),
        )
    }
)
"""The paper's five sizes, as arguments of MaxViT (the largest is trained on other data, with other rates)."""


def batch_norm(width: int) -> GridBatchNorm:
    return GridBatchNorm(width, eps=1e-3, momentum=0.01)


def gelu() -> nn.GELU:
    return nn.GELU(approximate="tanh")


class MBConv(nn.Module):
    """Inverted bottleneck: widen four times, depth-wise convolution, squeeze-and-excitation, narrow; plus a shortcut.

    Where it strides, the shortcut averages 2 × 2 tokens (and as many time steps as the stride has), those inside the
    clip alone.
    """

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        stride: tuple[int, int, int],
        temporal_kernel: int,
        per_time_step: bool,
        drop_path: float,
    ):
        super().__init__()
        hidden = 4 * width
        self.stride = stride
        self.shortcut = nn.Linear(width_in, width) if width_in != width else nn.Identity()
        self.pre_norm = batch_norm(width_in)
        self.expand = nn.Linear(width_in, hidden, bias=False)
        self.expand_norm = batch_norm(hidden)
        self.conv = GridConv(
            hidden, hidden, kernel=(temporal_kernel, 3, 3), stride=stride, groups=hidden, bias=False, same=True
        )
        self.conv_norm = batch_norm(hidden)
        self.excite = SqueezeExcite(hidden, hidden=width // 4, per_time_step=per_time_step)
        self.contract = nn.Linear(hidden, width)
        self.activation = gelu()
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        y = self.activation(self.expand_norm(self.expand(self.pre_norm(x))))
        y = self.activation(self.conv_norm(self.conv(y)))
        y = self.contract(self.excite(y))
        return self.shortcut(averaged(x, self.stride)) + self.drop_path(y)

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same without its norms, with activations and the sum in the products."""
        return MBConvForm(self, fused=fused)


def averaged(x: Float[Tensor, "b t h w d"], stride: tuple[int, int, int]) -> Float[Tensor, "b t_out h_out w_out d"]:
    """Means of blocks of `stride` tokens, at the end of those that are inside the clip."""
    if stride == (1, 1, 1):
        return x
    pooled = rearrange(x, "b t h w d -> b d t h w")
    pooled = F.avg_pool3d(pooled, stride, stride, ceil_mode=True, count_include_pad=False)
    return rearrange(pooled, "b d t h w -> b t h w d").contiguous()  # pooling leaves channels first in memory


class MBConvForm(nn.Module):
    """`MBConv` for inference."""

    def __init__(self, layer: MBConv, *, fused: bool):
        super().__init__()
        self.stride = layer.stride
        expand = fold_behind(fold_before(affine_of(layer.pre_norm), layer.expand), affine_of(layer.expand_norm))
        self.expand = linear_form(expand, activation="gelu_tanh", fused=fused)
        fold_conv(layer.conv, affine_of(layer.conv_norm))
        self.conv = conv_form(layer.conv, activation="gelu_tanh", fused=fused)
        self.excite: SqueezeExcite = layer.excite
        self.contract = linear_form(layer.contract, fused=fused)
        shortcut = layer.shortcut
        self.shortcut = linear_form(shortcut, fused=fused) if isinstance(shortcut, nn.Linear) else nn.Identity()

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        y = self.conv(self.expand(x))
        return self.contract(y.mul_(self.excite.gate(y)), self.shortcut(averaged(x, self.stride)))


class MultiAxisLayer(nn.Module):
    """x ← x + attention(LayerNorm(x));  x ← x + MLP(LayerNorm(x))."""

    def __init__(self, width: int, *, mixer: MultiAxis, drop_path: float):
        super().__init__()
        self.mixer_norm = nn.LayerNorm(width, eps=1e-5)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(width, eps=1e-5)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), gelu(), nn.Linear(4 * width, width))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        x = x + self.drop_path(self.mixer(self.mixer_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same with activations and the sum in the products."""
        return MultiAxisLayerForm(self, fused=fused)


class MultiAxisLayerForm(nn.Module):
    """`MultiAxisLayer` for inference.

    With `fused`, tokens stay in their windows until the end of the MLP, which knows no places. Otherwise the mixer is
    called as it is, since another form of it may stand there, as in export.
    """

    def __init__(self, layer: MultiAxisLayer, *, fused: bool):
        super().__init__()
        self.mixer_norm, self.mlp_norm = layer.mixer_norm, layer.mlp_norm
        mixer: Any = inference_layer(layer.mixer, fused=fused)
        self.mixer, self.in_windows = mixer, fused
        mlp: Any = layer.mlp
        expand, _, contract = mlp
        self.expand = linear_form(expand, activation="gelu_tanh", fused=fused)
        self.contract = linear_form(contract, fused=fused)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        if not self.in_windows:
            x = x + self.mixer(self.mixer_norm(x))
            return self.contract(self.expand(self.mlp_norm(x)), x)
        self.mixer.check_grid(tuple(x.shape[1:4]))
        tokens, seen = self.mixer.windows(x)
        tokens = self.mixer.proj(self.mixer.among(self.mixer_norm(tokens), seen), tokens)
        return self.mixer.grid(self.contract(self.expand(self.mlp_norm(tokens)), tokens), x)


class MaxViTBlock(nn.Module):
    """MBConv, then block attention, then grid attention."""

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        stride: tuple[int, int, int] = (1, 1, 1),
        head_width: int = 32,
        window: tuple[int, int, int] = (1, 7, 7),
        strict: bool = True,
        temporal_kernel: int = 1,
        per_time_step: bool = False,
        drop_path: float = 0.0,
    ):
        super().__init__()
        if width % head_width:
            raise ModelError(f"heads of {head_width} channels do not fill a width of {width}")
        self.conv = MBConv(
            width_in,
            width,
            stride=stride,
            temporal_kernel=temporal_kernel,
            per_time_step=per_time_step,
            drop_path=drop_path,
        )
        heads = width // head_width
        block = MultiAxis(width, heads=heads, window=window, partition="block", strict=strict)
        spread = MultiAxis(width, heads=heads, window=window, partition="grid", strict=strict)
        self.block = MultiAxisLayer(width, mixer=block, drop_path=drop_path)
        self.spread = MultiAxisLayer(width, mixer=spread, drop_path=drop_path)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t_out h_out w_out d_out"]:
        return self.spread(self.block(self.conv(x)))


@register("maxvit")
class MaxViT(StagedNetwork):
    """Multi-axis vision transformer (Tu et al., arXiv 2204.01697) for images and clips.

        stem (÷2) → four stages, each ÷2 in its first block → mean → LayerNorm → Linear, tanh → logits

    `frames=1` is the paper's network, with TensorFlow's padding. For clips: `window` has an extent in time,
    `temporal_kernel` is that of the stem's and the depth-wise convolutions, `temporal_strides[s]` the stride in time
    with which stage s begins. With `per_time_step` (windows of one time step) the channel gates pool each time
    step by itself as well, and only convolutions reach across; with a `temporal_kernel` of 1 each frame is then
    processed exactly as an image, and their pooled features are averaged.
    `strict`: windows must divide every stage's grid (`grids`), as in the paper; otherwise grids are filled up.
    Takes normalised clips, gives logits. Raises ModelError for sizes that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 1,
        size: int | tuple[int, int] = 224,
        stem: int = MAXVIT_SIZES["maxvit_tiny_tf_224"]["stem"],
        widths: PerStage = MAXVIT_SIZES["maxvit_tiny_tf_224"]["widths"],
        depths: PerStage = MAXVIT_SIZES["maxvit_tiny_tf_224"]["depths"],
        head_width: int = 32,
        window: tuple[int, int, int] = (1, 7, 7),
        strict: bool = True,
        temporal_kernel: int = 1,
        temporal_strides: PerStage = (1, 1, 1, 1),
        per_time_step: bool = False,
        drop_path: float = 0.2,
    ):
        super().__init__(frames=frames, size=size)
        self.grids = stage_grids(frames, size, temporal_strides=temporal_strides)
        self.grid = self.grids[-1]
        if per_time_step and window[0] > 1:
            raise ModelError(f"per_time_step needs windows of one time step, got window={window}")
        kernel = (temporal_kernel, 3, 3)
        self.stem = nn.Sequential(
            GridConv(3, stem, kernel=kernel, stride=(1, 2, 2), same=True),
            batch_norm(stem),
            gelu(),
            GridConv(stem, stem, kernel=kernel, same=True),
        )
        self.stages, self.downsamples = nn.ModuleList(), nn.ModuleList()  # blocks stride by themselves
        count, width_in = 0, stem
        for stage, width in enumerate(widths):
            blocks = nn.Sequential()
            for place in range(depths[stage]):
                block = MaxViTBlock(
                    width_in,
                    width,
                    stride=(1, 1, 1) if place else (temporal_strides[stage], 2, 2),
                    head_width=head_width,
                    window=window,
                    strict=strict,
                    temporal_kernel=temporal_kernel,
                    per_time_step=per_time_step,
                    # The authors divide by the number of blocks, so that the last one stays below the rate.
                    drop_path=drop_path * count / sum(depths),
                )
                block.block.mixer.check_grid(self.grids[stage])
                blocks.append(block)
                count, width_in = count + 1, width
            self.stages.append(blocks)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-5)
        self.pre_logits = nn.Linear(widths[-1], widths[-1])
        self.head = nn.Linear(widths[-1], classes)
        self.apply(_start)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        """The last stage's grid, before the mean over it."""
        x = self.stem(clip_grid(x))
        for blocks in self.stages:
            x = blocks(x)
        return x

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        pooled = self.norm(reduce(self.tokens(x), "b t h w d -> b d", "mean"))
        return self.head(self.pre_logits(pooled).tanh())

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the attention over the spread grid, the last of the last block, looks.

        Raises ModelError where windows of one row and column leave nothing to look at but time.
        """
        stage: Any = self.stages[-1]
        layer = stage[-1].spread
        last_where([layer.mixer])
        ((seen,),) = inputs_of([layer], self.tokens, x)
        place = f"block {len(stage)} of stage 4, multi_axis (partition=grid)"
        return (look_on_grid(layer.mixer, layer.mixer_norm(seen), place=place),)

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, N(0, 0.02²)."""
        self.head = new_linear(self.head, classes, start=_start)


def _start(module: nn.Module) -> None:
    """The paper's initialisation: every kernel N(0, 0.02²), every bias 0."""
    if isinstance(module, nn.Linear | GridConv):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
