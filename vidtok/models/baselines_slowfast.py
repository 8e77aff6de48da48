"""SlowFast of pytorchvideo behind vidtok's contract, and its slow pathway alone."""

from collections.abc import Iterable
from typing import Any

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vidtok.choices import ResNetDepth
from vidtok.errors import ModelError
from vidtok.models.library import LibraryNetwork
from vidtok.models.pytorchvideo_parts import NO_STRIDES, library, residual_blocks, start_resnet_head
from vidtok.models.registry import register
from vidtok.models.stages import stage_grids
from vidtok.nn.pool import new_linear


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
        depth: ResNetDepth = 50,
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
        depth: ResNetDepth = 50,
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
