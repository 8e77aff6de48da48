"""ViViT's Model 2: one encoder over space, shared by all time steps, then one over time."""

from collections.abc import Iterable
from dataclasses import replace

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.network import Network
from vidtok.models.registry import register
from vidtok.nn.encoder import MHSA_SPEC, Encoder, MixerPattern
from vidtok.nn.looks import in_time_steps
from vidtok.nn.mlp import GELUForm
from vidtok.nn.pool import Head, Pool, PoolKind
from vidtok.nn.position import PositionKind
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.nn.tubelet import Tubelet
from vidtok.types import AttentionMap


@register("vivit_factorised")
class FactorisedEncoderViViT(Network):
    """ViViT with a factorised encoder. The defaults are the paper's ViViT-B/16x2 FE, but for the class tokens.

        b t h w d ──space encoder, each time step by itself──pool──► b t d ──time encoder──pool──► b d ──head──► b k

    Arnab et al., ViViT, arXiv 2103.15691, section 3.3, Model 2. Both encoders have positions, a norm before pooling,
    and with `pool` "cls" a class token of their own. `time_depth`: blocks of the time encoder (the paper's 4; published
    weights hold up to 24); with 0 the mean over time steps stands in its place, the paper's spatial-only baseline.
    `time_heads` and `time_mlp_ratio` are those of the space encoder where they are not given. TokenLearner stands in
    the space encoder; mixers there see one time step at a time. The time encoder uses `token_mixer`. Dropped branches:
    the same rate in both encoders, each rising over its own depth. All else as in ViViT.
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
        time_depth: int = 4,
        time_heads: int | None = None,
        time_mlp_ratio: float | None = None,
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
        if time_depth == 0 and not (time_heads is None and time_mlp_ratio is None):
            raise ModelError("with `time_depth`=0 there is no time encoder: leave time_heads and time_mlp_ratio out")
        self.tokenizer = Tubelet(width, tubelet=tubelet, sampled_frames=sampled_frames)
        self.grid = self.tokenizer.grid(*self.clip)
        self.space = Encoder(
            width,
            grid=(1, *self.grid[1:]),
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
        self.space_pool = Pool(width, kind=pool, norm_eps=norm_eps)
        self.time = self.time_pool = None
        if time_depth:
            self.time = Encoder(
                width,
                grid=(self.grid[0], 1, 1),
                depth=time_depth,
                heads=heads if time_heads is None else time_heads,
                mlp_ratio=mlp_ratio if time_mlp_ratio is None else time_mlp_ratio,
                position=position,
                class_token=pool == "cls",
                mixer=token_mixer,
                gelu=gelu,
                norm_eps=norm_eps,
                dropout=dropout,
                drop_path=drop_path,
                drop_path_rescale=drop_path_rescale,
            )
            self.time_pool = Pool(width, kind=pool, norm_eps=norm_eps)
        self.head = Head(width, classes=classes, hidden=pre_logits)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The blocks of the space encoder, then those of the time encoder."""
        return (*self.space.blocks, *(self.time.blocks if self.time is not None else ()))

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The pooling between the encoders belongs to the last block over space, the second positions to the next."""
        first = len(self.space.blocks)
        parts = [(self.tokenizer, 0), *self.space.beside_blocks(), (self.space_pool, first)]
        if self.time is not None:
            parts += [(part, first + 1) for part, _ in self.time.beside_blocks()]
        return parts

    def arranged(self, output: Tensor, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        """Time steps, which are clips of their own over space, on an axis; over time there is no other."""
        if depth > len(self.space.blocks):
            return output.flatten(1, -2)
        steps = output.unflatten(0, (clips, -1))
        return steps if self.space.class_token is not None else steps.squeeze(2)

    def _steps(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t 1 1 d"]:
        """One vector for each time step."""
        clips, x = x.shape[0], self.tokenizer(x)
        x = self.space_pool(self.space(rearrange(x, "b t h w d -> (b t) 1 h w d")))
        return rearrange(x, "(b t) d -> b t 1 1 d", b=clips)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b n d"]:
        """The time encoder's tokens behind their norm, or the vectors of the time steps where there is none."""
        steps = self._steps(x)
        if self.time is None or self.time_pool is None:
            return steps.flatten(1, 3)
        return self.time_pool.tokens(self.time(steps)).flatten(1, -2)

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.logits_of_steps(self._steps(x))

    def why_whole(self) -> str | None:
        return "; ".join(self.tokenizer.why_together()) or None

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t 1 1 d"]]:
        """The vector of each time step."""
        return (self._steps(x),)

    def logits_of_steps(self, steps: Float[Tensor, "b t 1 1 d"]) -> Float[Tensor, "b k"]:  # pyright: ignore
        if self.time is None or self.time_pool is None:
            return self.head(steps.flatten(1, 3).mean(dim=1))
        return self.head(self.time_pool(self.time(steps)))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """Where the space encoder looks, each time step by itself; see `Encoder.attention`.

        Each time step has the same share of the attention: what the time encoder makes of the steps is no where.
        """
        tokens = self.tokenizer(x)
        found = self.space.attention(rearrange(tokens, "b t h w d -> (b t) 1 h w d"))
        found = (in_time_steps(each, clips=x.shape[0]) for each in found)
        return tuple(replace(each, place=f"space encoder, {each.place}") for each in found)

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, at zero."""
        self.head.reset(classes)
