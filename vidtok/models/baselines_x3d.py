"""X3D of pytorchvideo behind vidtok's contract, with TokenLearner where wanted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import LearnerVersion
from vidtok.errors import ModelError
from vidtok.models.library import LibraryNetwork
from vidtok.models.pytorchvideo_parts import NO_STRIDES, library, residual_blocks, start_resnet_head
from vidtok.models.registry import register
from vidtok.models.stages import stage_grids
from vidtok.nn.encoder import Encoder
from vidtok.nn.pool import new_linear
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.types import AttentionMap


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
                "x3d has stages 1 to 4 and needs a block behind TokenLearner: set `token_learner.after_stage` to "
                f"1 … 4 (got {last}) and `token_learner.depth` to 1 or more (got {token_learner.depth})"
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
