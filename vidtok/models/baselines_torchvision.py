"""Networks of torchvision behind vidtok's contract: S3D, Swin3D and MViTv2.

The library's own network is `body`: its published weights load into that. torchvision is imported where a network is
built, not with this module: its import takes longer than torch's.
"""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.baselines_attention import class_token_look, window_look
from vidtok.models.baselines_mvit_v1 import mvit_clip
from vidtok.models.library import LibraryNetwork
from vidtok.models.registry import register
from vidtok.models.stages import PerStage, stage_grids, start_head
from vidtok.nn.pool import check_classes, new_linear
from vidtok.types import AttentionMap

KERNEL = [3, 3, 3]


@register("s3d")
class S3D(LibraryNetwork):
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
        super().__init__(frames=frames, size=size)
        from torchvision.models import video

        before_last = stage_grids(frames, size, temporal_strides=(2, 1, 2, 1))[2]
        t, h, w = (extent // 2 for extent in before_last)
        if min(t, h, w) < 1:
            raise ModelError(f"s3d: needs at least 5 frames of 17 × 17 pixels, got frames={frames}, size={size}")
        self.grid = (t, h, w)
        self.body = video.S3D(num_classes=classes, dropout=dropout)
        self.body.avgpool = nn.AvgPool3d((min(t, 2), min(h, 7), min(w, 7)), stride=1)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The inception blocks."""
        from torchvision.models.video.s3d import SepInceptionBlock3D

        return tuple(layer for layer in self.body.features if isinstance(layer, SepInceptionBlock3D))

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The convolutions before them (the pooling layers between have no parameters)."""
        first = list(self.body.features).index(self.blocks[0])
        return [(layer, 0) for layer in self.body.features[:first]]

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.features

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, a convolution as torch starts it."""
        self.body.classifier[1] = new_convolution(self.body.classifier[1], classes)


@register("swin3d")
class Swin3D(LibraryNetwork):
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
        super().__init__(frames=frames, size=size)
        from torchvision.models import video

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

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The blocks of all stages."""
        return tuple(block for stage in self.body.features[::2] for block in stage)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The tokenizer, and the layers that halve the grid, which belong to the stage that follows."""
        parts: list[tuple[nn.Module | None, int]] = [(self.body.patch_embed, 0)]
        before = 0
        for stage, merging in zip(self.body.features[::2], self.body.features[1::2], strict=False):
            before += len(stage)
            parts.append((merging, before + 1))
        return parts

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.norm

    def arranged(self, output: Tensor, *, depth: int, clips: int) -> Float[Tensor, "b t h w d"]:
        """As it is: channels are last in the body too."""
        return output

    def no_weight_decay(self) -> set[str]:
        """The tables of relative positions."""
        from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

        attentions = named_layers(self, ShiftedWindowAttention3d)
        return {f"{path}.relative_position_bias_table" for path in attentions}

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, N(0, 0.02²)."""
        self.body.head = new_linear(self.body.head, classes, start=start_head)

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the windowed attention of the last block looks."""
        stage = self.body.features[-1]
        return (window_look(stage[-1].attn, self.logits, x, place=f"block {len(stage)} of stage 4"),)


@register("mvit_v2")
class MViTv2(LibraryNetwork):
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
        super().__init__(frames=frames, size=size)
        from torchvision.models import video

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

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the class token looks in the last block."""
        place = f"block {len(self.blocks)} of {len(self.blocks)}"
        return (class_token_look(self.body.blocks[-1].attn, self.logits, x, place=place),)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The transformer blocks of all stages."""
        return tuple(self.body.blocks)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The tokenizer and the class token."""
        return [(self.body.conv_proj, 0), (self.body.pos_encoding, 0)]

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.norm

    def no_weight_decay(self) -> set[str]:
        """The class token and the tables of relative positions."""
        from torchvision.models.video.mvit import MultiscaleAttention

        attentions = named_layers(self, MultiscaleAttention)
        tables = {f"{path}.rel_pos_{axis}" for path in attentions for axis in "hwt"}
        return {"body.pos_encoding.class_token", *tables}

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, N(0, 0.02²)."""
        self.body.head[1] = new_linear(self.body.head[1], classes, start=start_head)


def new_convolution(old: nn.Conv3d, classes: int) -> nn.Conv3d:
    """A last layer for this many classes as torch starts it, on the device and in the precision of the old one."""
    check_classes(classes)
    where = {"device": old.weight.device, "dtype": old.weight.dtype}
    return nn.Conv3d(old.in_channels, classes, kernel_size=1, **where).train(old.training)


def named_layers(network: nn.Module, kind: type[nn.Module]) -> list[str]:
    """The paths of all layers of one kind."""
    return [path for path, module in network.named_modules() if isinstance(module, kind)]
