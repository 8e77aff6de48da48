"""Networks of pytorchvideo behind vidtok's contract: X3D, with TokenLearner where wanted, Slow, SlowFast and MViT.

The library's own network is `body`: its published checkpoints load into that. pytorchvideo is imported where a network
is built, since the import takes seconds.
"""

import importlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vidtok.choices import LearnerVersion
from vidtok.errors import ModelError
from vidtok.models.baselines_attention import class_token_look
from vidtok.models.library import LibraryNetwork
from vidtok.models.registry import register
from vidtok.models.stages import PerStage, stage_grids, start_head
from vidtok.nn.encoder import Encoder
from vidtok.nn.pool import new_linear
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.types import AttentionMap

NO_STRIDES: PerStage = (1, 1, 1, 1)


def library(module: str) -> Any:
    """A module of `pytorchvideo.models`, imported without its warning that torch.jit.script, which it uses, is old."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script")
        return importlib.import_module(f"pytorchvideo.models.{module}")


def residual_blocks(body: Any) -> tuple[nn.Module, ...]:
    """The blocks of all stages of a ResNet of pytorchvideo."""
    return tuple(block for part in body.blocks if hasattr(part, "res_blocks") for block in part.res_blocks)


def start_resnet_head(layer: nn.Linear) -> None:
    """Weights N(0, 0.01²) and biases at zero, as pytorchvideo starts last layers."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)


@dataclass(frozen=True, kw_only=True)
class StageTokens:
    """TokenLearner behind a stage of a convolutional network, and what follows it."""

    after_stage: int = 4
    """Number of stages before it, 1 to 4; later stages are left out."""
    tokens: int = 8
    """Learned tokens for each time step."""
    version: LearnerVersion = "1.1"
    """TokenLearner's form: an MLP and softmax, or convolutions and a sigmoid."""
    depth: int = 1
    """Transformer blocks over all learned tokens, at least one."""
    heads: int = 8
    """Heads of their attention; they divide the stage's width."""


@register("x3d")
class X3D(LibraryNetwork):
    """X3D (Feichtenhofer, arXiv 2004.04730), as pytorchvideo builds it. The defaults are X3D-M.

    With `token_learner`, the stages behind `after_stage` make way for attention between learned tokens:

        stem → stages 1 … K → (b t h w d) → positions, TokenLearner, blocks → (b t s d) → X3D's head

    Ryoo et al., TokenLearner, arXiv 2106.11297, section 4, got their Charades and AViD results with an X3D whose 3-D
    convolutions are split into space and time and that has no squeeze-and-excitation; there each residual block of the
    last stage holds TokenLearner, attention and TokenFuser in place of its convolution over time. Here X3D's blocks
    stay as they are, TokenLearner stands once, behind a stage, and nothing is brought back to the grid.

    `width_factor`, `depth_factor`: the paper's expansion factors γ_w and γ_d. The head pools over windows of
    `frames` × `size`, so larger clips are scored window by window and averaged, as in the paper's tests; with
    `token_learner` clips have exactly this size.
    Takes normalised clips, gives logits (pytorchvideo's own default gives softmax scores).
    Raises ModelError for sizes and options that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        width_factor: float = 2.0,
        depth_factor: float = 2.2,
        token_learner: StageTokens | None = None,
        dropout: float = 0.5,
    ):
        super().__init__(frames=frames, size=size)
        x3d = library("x3d")
        grids = stage_grids(frames, size, temporal_strides=NO_STRIDES)
        body: Any = x3d.create_x3d(
            input_clip_length=frames,
            input_crop_size=224,  # sets the head's window alone, which follows below: the builder knows squares only
            model_num_class=classes,
            dropout_rate=dropout,
            width_factor=width_factor,
            depth_factor=depth_factor,
            inner_act=nn.SiLU,  # the library's own form of it calls what torch is about to drop
            head_activation=None,
        )
        self.body = body
        self.encoder = self.head = None
        if token_learner is None:
            self.grid = grids[-1]
            body.blocks[5].pool.pool = nn.AvgPool3d(self.grid, stride=1)
            return
        last = token_learner.after_stage
        if not 1 <= last <= 4 or token_learner.depth < 1:
            raise ModelError(
                "x3d has stages 1 to 4 and needs a block behind TokenLearner: set model.token_learner.after_stage to "
                f"1 … 4 (got {last}) and model.token_learner.depth to 1 or more (got {token_learner.depth})"
            )
        self.grid = grids[last - 1]
        narrowing = body.blocks[last].res_blocks[-1].branch2.conv_c
        width, inner = narrowing.out_channels, narrowing.in_channels
        self.encoder = Encoder(
            width,
            grid=self.grid,
            depth=token_learner.depth,
            heads=token_learner.heads,
            token_learner=TokenLearnerOptions(
                after_block=0, tokens=token_learner.tokens, version=token_learner.version
            ),
        )
        self.head = x3d.create_x3d_head(
            dim_in=width,
            dim_inner=inner,
            dim_out=body.blocks[5].proj.in_features,
            num_classes=classes,
            pool_kernel_size=(frames, token_learner.tokens, 1),
            dropout_rate=dropout,
            activation=None,
        )
        body.blocks = body.blocks[: last + 1]

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The residual blocks of all stages; where TokenLearner stands, its transformer blocks behind them."""
        return (*residual_blocks(self.body), *(self.encoder.blocks if self.encoder is not None else ()))

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The stem; positions and TokenLearner belong to the first transformer block."""
        parts: list[tuple[nn.Module | None, int]] = [(self.body.blocks[0], 0)]
        if self.encoder is not None:
            first = len(residual_blocks(self.body)) + 1
            parts += [(part, first) for part, _ in self.encoder.beside_blocks()]
        return parts

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.blocks[4] if self.encoder is None else self.encoder

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        y = self.body(rearrange(x, "b f c y x -> b c f y x"))
        if self.encoder is None or self.head is None:
            return y
        tokens = self.encoder(rearrange(y, "b d t h w -> b t h w d"))
        return self.head(rearrange(tokens, "b t s d -> b d t s 1"))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where TokenLearner and the last block behind it look; without them the activations of the last grid."""
        if self.encoder is None:
            return super().looks(x)
        grid = self.body(rearrange(x, "b f c y x -> b c f y x"))
        return self.encoder.attention(rearrange(grid, "b d t h w -> b t h w d"))

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the library's builder starts it."""
        if self.head is None:
            head, start = self.body.blocks[5], start_resnet_head
        else:
            head, start = self.head, nn.Linear.reset_parameters  # the builder of a head alone leaves it to torch
        head.proj = new_linear(head.proj, classes, start=start)


@register("slow")
class Slow(LibraryNetwork):
    """The slow pathway alone: a ResNet with kernels over time in its last two stages, as pytorchvideo builds it.

    Feichtenhofer et al., SlowFast, arXiv 1812.03982. The default is Slow-R50 8x8. `frames` are the frames that the
    network sees. The head pools over windows of `frames` × `size`: larger clips are scored window by window.
    Takes normalised clips, gives logits. Raises ModelError for a clip without frames or pixels.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 8,
        size: int | tuple[int, int] = 224,
        depth: Literal[50, 101, 152] = 50,
        dropout: float = 0.5,
    ):
        super().__init__(frames=frames, size=size)
        self.grid = stage_grids(frames, size, temporal_strides=NO_STRIDES)[-1]
        self.body = library("resnet").create_resnet(
            model_depth=depth,
            model_num_class=classes,
            dropout_rate=dropout,
            stem_conv_kernel_size=(1, 7, 7),
            head_pool_kernel_size=self.grid,
        )

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The residual blocks of all stages."""
        return residual_blocks(self.body)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The stem."""
        return [(self.body.blocks[0], 0)]

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.blocks[4]

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the library's builder starts it."""
        head = self.body.blocks[5]
        head.proj = new_linear(head.proj, classes, start=start_resnet_head)


@register("slowfast")
class SlowFast(LibraryNetwork):
    """Two pathways, one for every frame and one for every `alpha`-th, joined after each stage (pytorchvideo's).

        fast  f frames, 1/8 of the width ─┬─ … ─┬─ pool ─┐
        slow  f / alpha frames            └─ … ─┴─ pool ─┴─ logits

    Feichtenhofer et al., arXiv 1812.03982. The default is SlowFast-R50 8x8. `frames` are those of the fast pathway; the
    slow one's are spread evenly from the first to the last of them, rounded down, as in the authors' code.
    `fusion_kernel`: extent in time of the convolutions that join the pathways (7 with 50 layers, 5 with 101).
    Takes normalised clips, gives logits. Raises ModelError where `alpha` does not divide `frames`.
    """

    slow_frames: Int64[Tensor, "s"]

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 32,
        size: int | tuple[int, int] = 224,
        depth: Literal[50, 101, 152] = 50,
        alpha: int = 4,
        fusion_kernel: int = 7,
        dropout: float = 0.5,
    ):
        super().__init__(frames=frames, size=size)
        if alpha < 1 or frames % alpha:
            fit = ", ".join(str(n) for n in range(1, frames + 1) if frames % n == 0)
            raise ModelError(f"slowfast: alpha={alpha} does not divide {frames} frames; these do: {fit}")
        if fusion_kernel < 1 or fusion_kernel % 2 == 0:
            raise ModelError(f"slowfast: fusion_kernel={fusion_kernel} has no middle; take an odd extent")
        fast = stage_grids(frames, size, temporal_strides=NO_STRIDES)[-1]
        slow = frames // alpha
        self.grid = (slow, *fast[1:])
        self.body = library("slowfast").create_slowfast(
            model_depth=depth,
            model_num_class=classes,
            dropout_rate=dropout,
            slowfast_fusion_conv_kernel_size=(fusion_kernel, 1, 1),
            slowfast_fusion_conv_stride=(alpha, 1, 1),
            head_pool_kernel_sizes=(self.grid, fast),
        )
        for stage in self.body.blocks[1:5]:
            stage.inplace = False  # a stage that is computed again needs the pathways that it was given
        kept = torch.tensor([step * (frames - 1) // max(slow - 1, 1) for step in range(slow)])
        self.register_buffer("slow_frames", kept, persistent=False)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The four stages, each of both pathways with what joins them."""
        return tuple(self.body.blocks[1:5])

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The stems."""
        return [(self.body.blocks[0], 0)]

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.blocks[4]

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b t h w d"]:
        """Both pathways on the slow one's grid, where the fast one's time steps are averaged."""
        slow, fast = output
        fast = reduce(fast, "b d (t alpha) h w -> b d t h w", "mean", t=slow.shape[2])
        return rearrange(torch.cat([slow, fast], dim=1), "b d t h w -> b t h w d")

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        fast = rearrange(x, "b f c y x -> b c f y x")
        return self.body([fast[:, :, self.slow_frames], fast])

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the library's builder starts it."""
        head = self.body.blocks[6]
        head.proj = new_linear(head.proj, classes, start=start_resnet_head)


@register("mvit_v1")
class MViTv1(LibraryNetwork):
    """Multiscale vision transformer (Fan et al., arXiv 2104.11227), as pytorchvideo builds it. The defaults are B/16x4.

    Width and heads double and rows and columns halve at the start of stages 2 to 4; keys and values are pooled to the
    last stage's grid all along. `depths`: blocks of each stage. `drop_path`: 0.2 in the paper for B.
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
        rows, columns = mvit_clip(frames, size)
        self.grid = stage_grids(frames, size, temporal_strides=(2, 1, 1, 1))[-1]
        starts = list(accumulate(depths[:3]))
        doubled = [[block, 2.0] for block in starts]
        device = torch.get_default_device()
        # The builder asks tensors for their values, which tensors on the meta device do not have.
        with torch.device("cpu"):
            body = library("vision_transformers").create_multiscale_vision_transformers(
                spatial_size=(rows, columns),
                temporal_size=frames,
                depth=sum(depths),
                patch_embed_dim=width,
                num_heads=heads,
                embed_dim_mul=doubled,
                atten_head_mul=doubled,
                pool_q_stride_size=[[block, 1, 2, 2] for block in starts],
                pool_kv_stride_adaptive=[1, 8, 8],
                pool_kvq_kernel=[3, 3, 3],
                droppath_rate_block=drop_path,
                head_dropout_rate=dropout,
                head_num_classes=classes,
            )
        self.body = body.to(device)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The transformer blocks of all stages."""
        return tuple(self.body.blocks)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The tokenizer and the positions."""
        return [(self.body.patch_embed, 0), (self.body.cls_positional_encoding, 0)]

    @property
    def before_pooling(self) -> nn.Module:
        return self.body.norm_embed

    def no_weight_decay(self) -> set[str]:
        """Positions and class token."""
        path = "body.cls_positional_encoding"
        return {f"{path}.{name}" for name, _ in self.body.cls_positional_encoding.named_parameters()}

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the library's builder starts it."""
        self.body.head.proj = new_linear(self.body.head.proj, classes, start=start_head)

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the class token looks in the last block."""
        place = f"block {len(self.blocks)} of {len(self.blocks)}"
        return (class_token_look(self.body.blocks[-1].attn, self.logits, x, place=place),)


def mvit_clip(frames: int, size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a clip that MViT's tokens of 2 × 4 × 4 fill; ModelError for others."""
    rows, columns = (size, size) if isinstance(size, int) else size
    if min(frames, rows, columns) < 1 or frames % 2 or rows % 4 or columns % 4:
        raise ModelError(
            f"MViT's tokens are 2 frames × 4 rows × 4 columns; got frames={frames}, size={(rows, columns)}: "
            "take an even number of frames, and multiples of 4 for the size"
        )
    return rows, columns
