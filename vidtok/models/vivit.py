"""ViViT with joint space-time attention, attention factorised within each block, or any other mixer."""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.models.network import Network
from vidtok.models.registry import register
from vidtok.nn.encoder import MHSA_SPEC, Encoder, MixerPattern
from vidtok.nn.mlp import GELUForm
from vidtok.nn.pool import Head, NormPosition, Pool, PoolKind
from vidtok.nn.position import PositionKind
from vidtok.nn.token_learner import TokenLearner, TokenLearnerOptions
from vidtok.nn.tubelet import Tubelet
from vidtok.types import AttentionMap


@register("vivit")
class ViViT(Network):
    """A vision transformer on tubelets: tokenizer, encoder, pooling, linear head. The defaults are ViViT-B/16x2.

    Arnab et al., ViViT, arXiv 2103.15691, section 3.3. The models of the paper are
        Model 1, joint space-time attention   mixer {name: mhsa}
        Model 3, factorised self-attention    mixer [[{name: mhsa, axes: space}, {name: mhsa, axes: time}]]
        Model 4, factorised dot-product       mixer {name: mhsa, axes: split}
    and Model 2 is FactorisedEncoderViViT. Conventions are those of the authors' code: tanh GELU, norm epsilon 1e-6,
    norm before pooling, last layer zero at the start, dropped branches not rescaled. That code pools by the class token
    by default; here it is the mean over tokens, beside which every mixer and TokenLearner can stand. `token_learner`
    puts TokenLearner (Ryoo et al., arXiv 2106.11297) behind a block; `mixer` is used before, `token_mixer` behind it.

    `size`: rows and columns of a clip, or one number for both. `pre_logits`: width of a tanh layer before the last one.
    `sampled_frames`: keep that many evenly spaced frames (with `tubelet` (1, 16, 16) "uniform frame sampling").
    `last_norm_eps`: epsilon of the norm at the pooling, where it is not the blocks' `norm_eps`.
    Raises ModelError for sizes and options that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 32,
        size: int | tuple[int, int] = 224,
        tubelet: tuple[int, int, int] = (2, 16, 16),
        sampled_frames: int | None = None,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        position: PositionKind = "learned",
        pool: PoolKind = "mean",
        mixer: MixerPattern = MHSA_SPEC,
        token_mixer: MixerPattern = MHSA_SPEC,
        token_learner: TokenLearnerOptions | None = None,
        gelu: GELUForm = "tanh",
        norm_eps: float = 1e-6,
        last_norm_eps: float | None = None,
        norm_position: NormPosition = "before_pool",
        pre_logits: int | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        drop_path_rescale: bool = False,
    ):
        super().__init__(frames=frames, size=size)
        self.tokenizer = Tubelet(width, tubelet=tubelet, sampled_frames=sampled_frames)
        self.grid = self.tokenizer.grid(*self.clip)
        self.encoder = Encoder(
            width,
            grid=self.grid,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            position=position,
            class_token=pool == "cls",
            mixer=mixer,
            token_mixer=token_mixer,
            token_learner=token_learner,
            gelu=gelu,
            norm_eps=norm_eps,
            dropout=dropout,
            drop_path=drop_path,
            drop_path_rescale=drop_path_rescale,
        )
        last_eps = norm_eps if last_norm_eps is None else last_norm_eps
        self.pool = Pool(width, kind=pool, norm_position=norm_position, norm_eps=last_eps)
        self.head = Head(width, classes=classes, hidden=pre_logits)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The transformer blocks, first to last."""
        return tuple(self.encoder.blocks)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The tokenizer, and what the encoder has beside its blocks."""
        return [(self.tokenizer, 0), *self.encoder.beside_blocks()]

    @property
    def position(self) -> nn.Module:
        """The layer that adds positions."""
        return self.encoder.position

    @property
    def token_learner(self) -> TokenLearner | None:
        """The (first) TokenLearner, or None."""
        learners = self.encoder.token_learners
        return learners[0] if len(learners) else None  # pyright: ignore[reportReturnType]

    @property
    def after_block(self) -> int | None:
        """Number of blocks before TokenLearner, or None without it."""
        return self.encoder.after_block

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        """The encoder's tokens, behind the last norm where that stands before the pooling."""
        return self.pool.tokens(self.encoder(self.tokenizer(x)))

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.head(self.pool(self.encoder(self.tokenizer(x))))

    def why_whole(self) -> str | None:
        return "; ".join([*self.tokenizer.why_together(), *self.encoder.why_together()]) or None

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t *places d"]]:
        """The tokens of each time step before the block in which time steps meet: learned tokens, or a grid."""
        return (self.encoder.alone(self.tokenizer(x)),)

    def logits_of_steps(self, tokens: Float[Tensor, "b t *places d"]) -> Float[Tensor, "b k"]:  # pyright: ignore
        return self.head(self.pool(self.encoder.together(tokens)))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the last TokenLearner and the last mixer look; see `Encoder.attention`."""
        return self.encoder.attention(self.tokenizer(x))

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, at zero."""
        self.head.reset(classes)
