"""The first MViT of pytorchvideo behind vidtok's contract."""

from collections.abc import Iterable
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.baselines_attention import class_token_look
from vidtok.models.library import LibraryNetwork
from vidtok.models.pytorchvideo_parts import library
from vidtok.models.registry import register
from vidtok.models.stages import PerStage, stage_grids, start_head
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap


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
