"""STViT: a hierarchical network of convolutional positions, super-token attention and convolutional MLPs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.registry import register
from vidtok.models.stages import PerStage, StagedNetwork, drop_path_rates, stage_grids, start_head, within_time_steps
from vidtok.nn.conv import AddedDepthwise, GridBatchNorm, GridConv, clip_grid
from vidtok.nn.drop_path import DropPath
from vidtok.nn.folded import affine_of, fold_before, fold_behind, scale_of
from vidtok.nn.inference import inference_layer, linear_form, with_forms
from vidtok.nn.looks import in_time_steps, inputs_of, look_on_grid
from vidtok.nn.mixers.super_token import SuperToken
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap

Cells = tuple[int, int, int]
CELLS: tuple[Cells, Cells, Cells, Cells] = ((1, 8, 8), (1, 4, 4), (1, 1, 1), (1, 1, 1))
LATE_LAYER_SCALE = (None, None, 1e-6, 1e-6)

STVIT_SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "stvit_small": MappingProxyType(
            {"widths": (64, 128, 320, 512), "depths": (3, 5, 9, 3), "heads": (1, 2, 5, 8), "drop_path": 0.1}
        ),
        "stvit_base": MappingProxyType(
            {
                "widths": (96, 192, 384, 512),
                "depths": (4, 6, 14, 6),
                "heads": (2, 3, 6, 8),
                "layer_scale": LATE_LAYER_SCALE,
                "drop_path": 0.4,
            }
        ),
        "stvit_large": MappingProxyType(
            {
                "widths": (96, 192, 448, 640),
                "depths": (4, 7, 19, 8),
                "heads": (2, 3, 7, 10),
                "layer_scale": LATE_LAYER_SCALE,
                "drop_path": 0.6,
            }
        ),
    }
)
"""The paper's three sizes, as arguments of STViT."""


class STViTMLP(nn.Module):
    """Linear, GELU, a depth-wise convolution added to itself, Linear."""

    def __init__(self, width: int, *, hidden: int, temporal_kernel: int, dropout: float):
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.conv = AddedDepthwise(hidden, temporal_kernel=temporal_kernel)
        self.contract = nn.Linear(hidden, width)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        y = self.dropout(self.activation(self.expand(x)))
        return self.dropout(self.contract(self.conv(y)))


class STViTBlock(nn.Module):
    """x ← x + conv(x);  x ← x + γ₁ mixer(LayerNorm(x));  x ← x + γ₂ MLP(BatchNorm(x))."""

    def __init__(
        self,
        width: int,
        *,
        mixer: nn.Module,
        per_time_step: bool,
        mlp_ratio: float,
        layer_scale: float | None,
        temporal_kernel: int,
        dropout: float,
        drop_path: float,
    ):
        super().__init__()
        self.position = AddedDepthwise(width, temporal_kernel=temporal_kernel)
        self.mixer_norm = nn.LayerNorm(width, eps=1e-6)
        self.mixer = mixer
        self.per_time_step = per_time_step
        self.mlp_norm = GridBatchNorm(width)
        self.mlp = STViTMLP(width, hidden=round(width * mlp_ratio), temporal_kernel=temporal_kernel, dropout=dropout)
        self.mixer_scale = None if layer_scale is None else nn.Parameter(torch.full((width,), layer_scale))
        self.mlp_scale = None if layer_scale is None else nn.Parameter(torch.full((width,), layer_scale))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        x = self.position(x)
        y = self.mixer_norm(x)
        y = within_time_steps(self.mixer, y) if self.per_time_step else self.mixer(y)
        x = x + self.drop_path(y if self.mixer_scale is None else self.mixer_scale * y)
        y = self.mlp(self.mlp_norm(x))
        return x + self.drop_path(y if self.mlp_scale is None else self.mlp_scale * y)

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The same without batch norm and layer scales, with sums and activations in the products."""
        return STViTBlockForm(self, fused=fused)


class STViTBlockForm(nn.Module):
    """`STViTBlock` for inference."""

    def __init__(self, block: STViTBlock, *, fused: bool):
        super().__init__()
        self.position = inference_layer(block.position, fused=fused)
        self.mixer_norm = block.mixer_norm
        mixer: Any = block.mixer
        # What super tokens hand back to tokens is linear in what their attention puts out.
        mixer.refine.projection = scale_of(block.mixer_scale, mixer.refine.projection)
        self.mixer = inference_layer(mixer, fused=fused)
        self.per_time_step = block.per_time_step
        mlp = block.mlp
        expand = fold_before(affine_of(block.mlp_norm), mlp.expand)
        self.expand = linear_form(expand, activation="gelu", fused=fused)
        self.conv = inference_layer(mlp.conv, fused=fused)
        self.contract = linear_form(scale_of(block.mlp_scale, mlp.contract), fused=fused)

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
        x = self.position(x)
        y = self.mixer_norm(x)
        x = x + (within_time_steps(self.mixer, y) if self.per_time_step else self.mixer(y))
        return self.contract(self.conv(self.expand(x)), x)


@register("stvit")
class STViT(StagedNetwork):
    """Vision transformer with super-token sampling (Huang et al., arXiv 2211.11167) for images and clips.

        stem (÷4) → stage 1 → ÷2 → stage 2 → ÷2 → stage 3 → ÷2 → stage 4 → 1024 channels → BN, SiLU → mean → logits

    `frames=1` is the paper's network. For clips: `temporal_kernel` is the extent in time of every 3 × 3 convolution,
    `temporal_strides[s]` the stride in time with which stage s begins, `cells` the super tokens' cells (time, rows,
    columns; cells of one token leave plain attention over all tokens). With `per_time_step` attention stays
    within each time step, and only convolutions reach across; with a `temporal_kernel` of 1 each frame is then
    processed exactly as an image, and their pooled features are averaged.
    `size` and `frames` are those of the clips to come; `grids` are the token grids of the stages.
    Takes normalised clips, gives logits. Raises ModelError for sizes that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 1,
        size: int | tuple[int, int] = 224,
        widths: PerStage = STVIT_SIZES["stvit_small"]["widths"],
        depths: PerStage = STVIT_SIZES["stvit_small"]["depths"],
        heads: PerStage = STVIT_SIZES["stvit_small"]["heads"],
        cells: tuple[Cells, Cells, Cells, Cells] = CELLS,
        iterations: PerStage = (1, 1, 1, 1),
        projection: int = 1024,
        mlp_ratio: float = 4.0,
        layer_scale: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None),
        temporal_kernel: int = 1,
        temporal_strides: PerStage = (1, 1, 1, 1),
        per_time_step: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.1,
    ):
        super().__init__(frames=frames, size=size)
        self.grids = stage_grids(frames, size, temporal_strides=temporal_strides)
        self.grid = self.grids[-1]
        if per_time_step and any(cell[0] > 1 for cell in cells):
            raise ModelError(f"per_time_step needs cells of one time step, got cells={cells}")
        kernel = (temporal_kernel, 3, 3)
        half, first = widths[0] // 2, widths[0]
        steps = [
            (3, half, (temporal_strides[0], 2, 2)),
            (half, half, (1, 1, 1)),
            (half, first, (1, 2, 2)),
            (first, first, (1, 1, 1)),
        ]
        self.stem = nn.Sequential()
        for width_in, width_out, stride in steps:
            self.stem.append(GridConv(width_in, width_out, kernel=kernel, stride=stride))
            self.stem.append(nn.GELU())
            self.stem.append(GridBatchNorm(width_out))
        self.dropout = nn.Dropout(dropout)
        rates = iter(drop_path_rates(drop_path, sum(depths)))
        self.stages = nn.ModuleList()
        self.downsamples = nn.ModuleList()
        for stage, width in enumerate(widths):
            if stage:
                conv = GridConv(widths[stage - 1], width, kernel=kernel, stride=(temporal_strides[stage], 2, 2))
                self.downsamples.append(nn.Sequential(conv, GridBatchNorm(width)))
            blocks = nn.Sequential()
            for _ in range(depths[stage]):
                mixer = SuperToken(width, heads=heads[stage], cells=cells[stage], iterations=iterations[stage])
                blocks.append(
                    STViTBlock(
                        width,
                        mixer=mixer,
                        per_time_step=per_time_step,
                        mlp_ratio=mlp_ratio,
                        layer_scale=layer_scale[stage],
                        temporal_kernel=temporal_kernel,
                        dropout=dropout,
                        drop_path=next(rates),
                    )
                )
            self.stages.append(blocks)
        self.projection = nn.Linear(widths[-1], projection)
        self.norm = GridBatchNorm(projection)
        self.activation = nn.SiLU()
        self.head = nn.Linear(projection, classes)
        start_head(self.head)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        """The last stage's grid, before the mean over it."""
        x = self.dropout(self.stem(clip_grid(x)))
        for stage, blocks in enumerate(self.stages):
            if stage:
                x = self.downsamples[stage - 1](x)
            x = blocks(x)
        return self.activation(self.norm(self.projection(x)))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the super-token attention of the last block looks; with `per_time_step` each time step by itself."""
        stage: Any = self.stages[-1]
        block = stage[-1]
        ((seen,),) = inputs_of([block.mixer], self.tokens, x)
        found = look_on_grid(block.mixer, seen, place=f"block {len(stage)} of stage 4, super_token")
        return (in_time_steps(found, clips=x.shape[0]) if block.per_time_step else found,)

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.head(reduce(self.tokens(x), "b t h w d -> b d", "mean"))

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, N(0, 0.02²)."""
        self.head = new_linear(self.head, classes, start=start_head)

    def inference_form(self, *, fused: bool) -> nn.Module:
        """The last norm and activation go into the product before them."""
        projection = fold_behind(self.projection, affine_of(self.norm))
        with_forms(self, fused=fused)
        forms = {"projection": linear_form(projection, activation="silu", fused=fused)}
        for name, layer in {**forms, "norm": nn.Identity(), "activation": nn.Identity()}.items():
            setattr(self, name, layer)
        return self
