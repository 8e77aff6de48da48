"""CAS-ViT: a hierarchical network of small convolutions, convolutional additive attention and MLPs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.models.registry import register
from vidtok.models.stages import PerStage, StagedNetwork, drop_path_rates, stage_grids, start_head
from vidtok.nn.conv import GridBatchNorm, GridConv, clip_grid, depthwise
from vidtok.nn.drop_path import DropPath
from vidtok.nn.folded import affine_of, fold_before, fold_behind
from vidtok.nn.inference import conv_form, linear_form
from vidtok.nn.looks import inputs_of, look_on_grid
from vidtok.nn.mixers.conv_additive import ConvAdditive, ConvAdditiveForm
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap

CASVIT_SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "casvit_xs": MappingProxyType({"widths": (48, 56, 112, 220), "depths": (2, 2, 4, 2)}),
        "casvit_s": MappingProxyType({"widths": (48, 64, 128, 256), "depths": (3, 3, 6, 3)}),
        "casvit_m": MappingProxyType({"widths": (64, 96, 192, 384), "depths": (3, 3, 6, 3)}),
        "casvit_t": MappingProxyType({"widths": (96, 128, 256, 512), "depths": (3, 3, 6, 3)}),
    }
)
"""The paper's four sizes, as arguments of CASViT."""


class CASViTBlock(nn.Module):
    """x ← x + convs(x);  x ← x + mixer(BatchNorm(x));  x ← x + MLP(BatchNorm(x)). The first branch is never dropped."""

    def __init__(
        self,
        width: int,
        *,
        mlp_ratio: float,
        temporal_kernel: int,
        per_time_step: bool,
        dropout: float,
        drop_path: float,
    ):
        super().__init__()
        self.local = nn.Sequential(
            nn.Linear(width, width),
            GridBatchNorm(width),
            depthwise(width, temporal_kernel=temporal_kernel),
            nn.GELU(),
            nn.Linear(width, width),
        )
        self.mixer_norm = GridBatchNorm(width)
        self.mixer = ConvAdditive(width, temporal_kernel=temporal_kernel, pool="time_step" if per_time_step else "clip")
        self.mlp_norm = GridBatchNorm(width)
        hidden = round(width * mlp_ratio)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        x = x + self.local(x)
        x = x + self.drop_path(self.mixer(self.mixer_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same without its norms, with sums and activations in the products."""
        return CASViTBlockForm(self, fused=fused)


class CASViTBlockForm(nn.Module):
    """`CASViTBlock` for inference."""

    def __init__(self, block: CASViTBlock, *, fused: bool):
        super().__init__()
        local: Any = block.local
        mlp: Any = block.mlp
        into, norm, conv, _, out = local
        expand, _, _, contract, _ = mlp
        self.local = nn.Sequential(
            linear_form(fold_behind(into, affine_of(norm)), fused=fused),
            conv_form(conv, activation="gelu", fused=fused),
        )
        self.local_out = linear_form(out, fused=fused)
        self.mixer = ConvAdditiveForm(block.mixer, before=affine_of(block.mixer_norm), fused=fused)
        self.expand = linear_form(fold_before(affine_of(block.mlp_norm), expand), activation="gelu", fused=fused)
        self.contract = linear_form(contract, fused=fused)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        x = self.local_out(self.local(x), x)
        x = self.mixer(x, added=x)
        return self.contract(self.expand(x), x)


@register("casvit")
class CASViT(StagedNetwork):
    """Convolutional additive self-attention network (Zhang et al., arXiv 2408.03703) for images and clips.

        stem (÷4) → stage 1 → ÷2 → stage 2 → ÷2 → stage 3 → ÷2 → stage 4 → BatchNorm → mean → logits

    `frames=1` is the paper's network. For clips: `temporal_kernel` is the extent in time of every 3 × 3 convolution,
    `temporal_strides[s]` the stride in time with which stage s begins. With `per_time_step` the channel gates pool
    each time step by itself, and only convolutions reach across; with a `temporal_kernel` of 1 each frame is then
    processed exactly as an image, and their pooled features are averaged.
    `dist_head` adds the head that learns from a teacher's labels (the published parameter counts have it); the
    logits are the mean of both heads, in training too, where the authors' code gives both.
    `size` and `frames` are those of the clips to come; `grids` are the token grids of the stages.
    Takes normalised clips, gives logits. Raises ModelError for sizes that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 1,
        size: int | tuple[int, int] = 224,
        widths: PerStage = CASVIT_SIZES["casvit_xs"]["widths"],
        depths: PerStage = CASVIT_SIZES["casvit_xs"]["depths"],
        mlp_ratio: float = 4.0,
        dist_head: bool = False,
        temporal_kernel: int = 1,
        temporal_strides: PerStage = (1, 1, 1, 1),
        per_time_step: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ):
        super().__init__(frames=frames, size=size)
        self.grids = stage_grids(frames, size, temporal_strides=temporal_strides)
        self.grid = self.grids[-1]
        kernel = (temporal_kernel, 3, 3)
        half, first = widths[0] // 2, widths[0]
        self.stem = nn.Sequential(
            GridConv(3, half, kernel=kernel, stride=(temporal_strides[0], 2, 2)),
            GridBatchNorm(half),
            nn.ReLU(),
            GridConv(half, first, kernel=kernel, stride=(1, 2, 2)),
            GridBatchNorm(first),
            nn.ReLU(),
        )
        rates = iter(drop_path_rates(drop_path, sum(depths)))
        self.stages = nn.ModuleList()
        self.downsamples = nn.ModuleList()
        for stage, width in enumerate(widths):
            if stage:
                conv = GridConv(widths[stage - 1], width, kernel=kernel, stride=(temporal_strides[stage], 2, 2))
                self.downsamples.append(nn.Sequential(conv, GridBatchNorm(width)))
            self.stages.append(
                nn.Sequential(
                    *(
                        CASViTBlock(
                            width,
                            mlp_ratio=mlp_ratio,
                            temporal_kernel=temporal_kernel,
                            per_time_step=per_time_step,
                            dropout=dropout,
                            drop_path=next(rates),
                        )
                        for _ in range(depths[stage])
                    )
                )
            )
        self.norm = GridBatchNorm(widths[-1])
        self.head = nn.Linear(widths[-1], classes)
        self.dist_head = nn.Linear(widths[-1], classes) if dist_head else None
        for head in (self.head, self.dist_head):
            if head is not None:
                start_head(head)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        """The last stage's grid, before the mean over it."""
        x = self.stem(clip_grid(x))
        for stage, blocks in enumerate(self.stages):
            if stage:
                x = self.downsamples[stage - 1](x)
            x = blocks(x)
        return self.norm(x)

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        pooled = reduce(self.tokens(x), "b t h w d -> b d", "mean")
        if self.dist_head is None:
            return self.head(pooled)
        return (self.head(pooled) + self.dist_head(pooled)) / 2

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """What multiplies the values in the convolutional additive attention of the last block."""
        stage: Any = self.stages[-1]
        mixer = stage[-1].mixer
        ((seen,),) = inputs_of([mixer], self.tokens, x)
        return (look_on_grid(mixer, seen, place=f"block {len(stage)} of stage 4, conv_additive"),)

    def reset_classifier(self, classes: int) -> None:
        """New last layers, N(0, 0.02²)."""
        self.head = new_linear(self.head, classes, start=start_head)
        if self.dist_head is not None:
            self.dist_head = new_linear(self.dist_head, classes, start=start_head)
