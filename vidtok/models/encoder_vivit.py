"""A ViViT on the tokens of an encoder in the place of tubelets: positions, mixers, TokenLearner, pooling, a head."""

from collections.abc import Iterable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.models.encoder_plan import EncoderPlan, encoder_in_front
from vidtok.models.partly_frozen import PartlyFrozen
from vidtok.models.registry import register
from vidtok.nn.encoder import MHSA_SPEC, Encoder, MixerPattern
from vidtok.nn.mlp import GELUForm
from vidtok.nn.pool import Head, Pool, PoolKind
from vidtok.nn.position import PositionKind
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.types import AttentionMap


@register("encoder_vivit")
class EncoderViViT(PartlyFrozen):
    """An encoder, frozen or trained in its last blocks, and behind it what ViViT has behind its tubelets.

        clip ──encoder──► (b t h w d) ──Linear(LayerNorm)──► + positions ──blocks, TokenLearner──► pool ──► logits

    `encoder`: a picture network by timm's name, which sees each frame by itself, or any encoder as an `EncoderPlan`; in
    a config also a file, a folder, an id on the hub or a run. `trained_blocks`: of the encoder, see `PartlyFrozen`.
    `width` None: the encoder's own. The other options are ViViT's, with its conventions; the new layers are small by
    default, since they start from nothing. `blocks` are the encoder's and then those behind it. Weights start at
    random; a run of `vidtok train` brings the encoder's. Raises ModelError for sizes and options that cannot work.
    """

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        encoder: str | EncoderPlan = "tf_efficientnet_lite0",
        trained_blocks: int | None = 0,
        width: int | None = 256,
        depth: int = 2,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        position: PositionKind = "learned",
        pool: PoolKind = "mean",
        mixer: MixerPattern = MHSA_SPEC,
        token_mixer: MixerPattern = MHSA_SPEC,
        token_learner: TokenLearnerOptions | None = None,
        gelu: GELUForm = "tanh",
        norm_eps: float = 1e-6,
        pre_logits: int | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        drop_path_rescale: bool = False,
    ):
        super().__init__(frames=frames, size=size)
        self.encoder = encoder_in_front(encoder, frames=frames, size=size)
        self.grid = self.encoder.grid
        own = self.encoder.token_width
        width = own if width is None else width
        self.enter = nn.Sequential(nn.LayerNorm(own), nn.Linear(own, width))
        self.behind = Encoder(
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
        self.pool = Pool(width, kind=pool, norm_eps=norm_eps)
        self.head = Head(width, classes=classes, hidden=pre_logits)
        self.hold_back(trained_blocks, part="encoder", blocks=len(self.encoder.blocks))

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The encoder's blocks, and those behind it."""
        return (*self.encoder.blocks, *self.behind.blocks)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """What leads from the encoder to the blocks behind it has the depth of the first of these."""
        first = len(self.encoder.blocks) + 1
        yield from ((self.encoder, first), (self.enter, first), *self.encoder.beside_blocks())
        yield from ((layer, first - 1 + max(1, depth)) for layer, depth in self.behind.beside_blocks())

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        if depth > len(self.encoder.blocks):
            return output
        return self.encoder.arranged(output, depth=depth, clips=clips)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        """The last block's tokens behind the norm."""
        return self.pool.tokens(self.behind(self._entered(x)))

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.head(self.pool(self.behind(self._entered(x))))

    def why_whole(self) -> str | None:
        return self.encoder.why_whole()

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t *places d"]]:
        """The encoder's tokens, and what the blocks behind it make of them as far as time steps stay apart there."""
        entered = self._entered(x)
        return (entered if self.behind.why_together() else self.behind.alone(entered),)

    def logits_of_steps(self, tokens: Float[Tensor, "b t *places d"]) -> Float[Tensor, "b k"]:  # pyright: ignore
        behind = self.behind if self.behind.why_together() else self.behind.together
        return self.head(self.pool(behind(tokens)))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the blocks behind the encoder look; without any, where the encoder does."""
        return self.behind.attention(self._entered(x)) if len(self.behind.blocks) else self.encoder.looks(x)

    def no_weight_decay(self) -> set[str]:
        """What its parts say of their own."""
        return super().no_weight_decay() & dict(self.named_parameters()).keys()

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, at zero."""
        self.head.reset(classes)

    def _entered(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        return self.enter(self.encoder.tokens(x))
