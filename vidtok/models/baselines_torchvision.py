"""Networks of torchvision behind vidtok's contract: S3D, Swin3D and MViTv2.

The library's own network is `body`: its published weights load into that.
"""

from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import video

from vidtok.errors import ModelError
from vidtok.models.baselines_attention import class_token_look, energy, window_look
from vidtok.models.baselines_pytorchvideo import mvit_clip
from vidtok.models.stages import PerStage, stage_grids
from vidtok.nn.looks import at_rest, inputs_of
from vidtok.types import AttentionMap

KERNEL = [3, 3, 3]


class S3D(nn.Module):
    """Separable 3-D Inception network (Xie et al., arXiv 1712.04851), as torchvision builds it.

    The last average pools windows of 2 × 7 × 7, as torchvision's, or the whole grid where that is smaller (torchvision
    refuses clips under 14 frames or 224 pixels).
    Takes normalised clips, gives logits. Raises ModelError for clips of which the strides leave nothing.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        dropout: float = 0.2,
    ):
        super().__init__()
        before_last = stage_grids(frames, size, temporal_strides=(2, 1, 2, 1))[2]
        t, h, w = (extent // 2 for extent in before_last)
        if min(t, h, w) < 1:
            raise ModelError(f"s3d: needs at least 5 frames of 17 × 17 pixels, got frames={frames}, size={size}")
        self.grid = (t, h, w)
        self.body = video.S3D(num_classes=classes, dropout=dropout)
        self.body.avgpool = nn.AvgPool3d((min(t, 2), min(h, 7), min(w, 7)), stride=1)

    def forward(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.body(rearrange(x, "b f c y x -> b c f y x"))

    def attention(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """The activations of the last grid: there is no attention in it."""
        with at_rest(self):
            ((seen,),) = inputs_of([self.body.avgpool], self.body, rearrange(x, "b f c y x -> b c f y x"))
            return (energy(seen, place="the last of 16 layers"),)


class Swin3D(nn.Module):
    """Video Swin transformer (Liu et al., arXiv 2106.13230), as torchvision builds it. The defaults are Swin3D-T.

    Tokens of 2 × 4 × 4 pixels; attention within windows, moved by half a window in every second block; clips that the
    tokens or windows do not fill are padded with zeros. `window`: extent in time steps, rows, columns.
    Takes normalised clips, gives logits. Raises ModelError for a clip without frames or pixels, and where heads do not
    divide a stage's width.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 32,
        size: int | tuple[int, int] = 224,
        width: int = 96,
        depths: PerStage = (2, 2, 6, 2),
        heads: PerStage = (3, 6, 12, 24),
        window: tuple[int, int, int] = (8, 7, 7),
        dropout: float = 0.0,
        drop_path: float = 0.1,
    ):
        super().__init__()
        widths = [width * 2**stage for stage in range(4)]
        if wrong := [f"{count} heads, width {wide}" for count, wide in zip(heads, widths, strict=True) if wide % count]:
            raise ModelError(f"swin3d: heads divide their stage's width; not so: {'; '.join(wrong)}")
        self.grid = stage_grids(frames, size, temporal_strides=(2, 1, 1, 1))[-1]
        self.body = video.SwinTransformer3d(
            patch_size=[2, 4, 4],
            embed_dim=width,
            depths=list(depths),
            num_heads=list(heads),
            window_size=list(window),
            dropout=dropout,
            stochastic_depth_prob=drop_path,
            num_classes=classes,
        )

    def forward(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.body(rearrange(x, "b f c y x -> b c f y x"))

    def attention(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the windowed attention of the last block looks."""
        with at_rest(self):
            stage: Any = self.body.features[-1]
            pixels, place = rearrange(x, "b f c y x -> b c f y x"), f"block {len(stage)} of stage 4"
            return (window_look(stage[-1].attn, self.body, pixels, place=place),)


class MViTv2(nn.Module):
    """Improved multiscale vision transformer (Li et al., arXiv 2112.01526), as torchvision builds it: S by default.

    Beside MViT: relative positions in three axes, and pooled queries added to the output of attention. Width and heads
    double and rows and columns halve at the start of stages 2 to 4. `depths`: blocks of each stage; torchvision offers
    S alone, the other depths are the paper's.
    Takes normalised clips, gives logits. Raises ModelError where the tokenizer does not divide the clip.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        width: int = 96,
        depths: PerStage = (1, 2, 11, 2),
        heads: int = 1,
        dropout: float = 0.5,
        drop_path: float = 0.2,
    ):
        super().__init__()
        spatial_size = mvit_clip(frames, size)
        self.grid = stage_grids(frames, size, temporal_strides=(2, 1, 1, 1))[-1]
        if width % heads:
            raise ModelError(f"mvit_v2: a width of {width} does not divide into {heads} heads")
        blocks = []
        for stage, depth in enumerate(depths):
            wide, pooled = width * 2**stage, 8 // 2**stage
            for place in range(depth):
                grows = stage > 0 and place == 0
                blocks.append(
                    video.mvit.MSBlockConfig(
                        num_heads=heads * 2**stage,
                        input_channels=wide // 2 if grows else wide,
                        output_channels=wide,
                        kernel_q=KERNEL,
                        kernel_kv=KERNEL,
                        stride_q=[1, 2, 2] if grows else [1, 1, 1],
                        stride_kv=[1, pooled, pooled],
                    )
                )
        self.body = video.MViT(
            spatial_size=spatial_size,
            temporal_size=frames,
            block_setting=blocks,
            residual_pool=True,
            residual_with_cls_embed=False,
            rel_pos_embed=True,
            proj_after_attn=True,
            dropout=dropout,
            stochastic_depth_prob=drop_path,
            num_classes=classes,
        )

    def forward(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.body(rearrange(x, "b f c y x -> b c f y x"))

    def attention(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the class token looks in the last block."""
        with at_rest(self):
            last = self.body.blocks[-1]
            place = f"block {len(self.body.blocks)} of {len(self.body.blocks)}"
            return (class_token_look(last.attn, self.body, rearrange(x, "b f c y x -> b c f y x"), place=place),)
