"""The transformer encoder of a ViViT: positions, blocks, and where wanted a class token or TokenLearner."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.nn.block import Block
from vidtok.nn.looks import inputs_of, last_where, look, spread_tokens
from vidtok.nn.mixers import make_mixer, mixer_class
from vidtok.nn.mlp import GELUForm
from vidtok.nn.pool import ClassToken
from vidtok.nn.position import SEPARABLE, Grid, PositionKind, make_position, make_time_position
from vidtok.nn.token_learner import TokenFuser, TokenLearner, TokenLearnerOptions
from vidtok.types import AttentionMap

MixerSpec = Mapping[str, Any]
MixerPattern = MixerSpec | Sequence[MixerSpec | Sequence[MixerSpec]]
MHSA_SPEC: MixerSpec = MappingProxyType({"name": "mhsa"})


def mixers_of_blocks(mixer: MixerPattern, blocks: int) -> list[tuple[MixerSpec, ...]]:
    """The mixers of each of `blocks` blocks, from one spec for all or from a pattern that repeats.

        {name: mhsa}                                     every block the same
        [{…a}, {…b}]                                     a, b, a, b, …
        [[{name: mhsa, axes: time}, {…, axes: space}]]   every block both, one after the other

    A mixer class may say that an option takes turns from block to block (`alternates = {option: (values…)}`); a value
    given in the spec ends that. Raises ModelError where the pattern does not fill the blocks.
    """
    pattern = [mixer] if isinstance(mixer, Mapping) else list(mixer)
    if blocks and (not pattern or blocks % len(pattern)):
        raise ModelError(
            f"a pattern of {len(pattern)} mixers does not fill {blocks} blocks; its length must divide their number"
        )
    filled = []
    for i in range(blocks):
        entry = pattern[i % len(pattern)]
        specs = (entry,) if isinstance(entry, Mapping) else tuple(entry)
        if not specs:
            raise ModelError(f"block {i} has no mixer; give at least one, such as {{name: mhsa}}")
        filled.append(tuple(_take_turns(spec, i) for spec in specs))
    return filled


def _take_turns(spec: MixerSpec, block: int) -> MixerSpec:
    turns = getattr(mixer_class(spec["name"]), "alternates", {}) if "name" in spec else {}
    return {**{option: values[block % len(values)] for option, values in turns.items()}, **spec}


class Encoder(nn.Module):
    """Positions, then blocks, over the grid `t h w`; the last norm belongs to the pooling that follows.

    TokenLearner before block K = `token_learner.after_block` (0: before the first) leaves `s` learned tokens for each
    time step, and the blocks from K on use `token_mixer` over all t·s of them; with `fuse`, each block from K on
    stands between a TokenLearner and a TokenFuser, whose output is added to the grid (Ryoo et al., arXiv 2106.11297).
    Branches are dropped at the rate drop_path · l / (depth - 1) in block l.

    Time steps meet in the first block that looks over time, `meet_at`. Separable positions add time's part there, and
    where that leaves something to do before (`why_together` is empty) the encoder falls into two: `alone`, which gives
    each time step the same wherever it stands in the clip, and `together`.

    Raises ModelError for combinations that cannot work; the message says what to set.
    """

    def __init__(
        self,
        width: int,
        *,
        grid: Grid,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
        position: PositionKind = "learned",
        class_token: bool = False,
        mixer: MixerPattern = MHSA_SPEC,
        token_mixer: MixerPattern = MHSA_SPEC,
        token_learner: TokenLearnerOptions | None = None,
        gelu: GELUForm = "tanh",
        norm_eps: float = 1e-6,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        drop_path_rescale: bool = False,
    ):
        super().__init__()
        after_block = depth if token_learner is None else token_learner.after_block
        if token_learner is not None:
            if class_token:
                raise ModelError("TokenLearner leaves no place for a class token: set `pool`=mean")
            if not 0 <= after_block < depth:
                raise ModelError(
                    f"TokenLearner after block {after_block} of {depth} does nothing: "
                    f"set `token_learner.after_block` to 0 … {depth - 1}"
                )
            if token_learner.use_normalization is not None and not token_learner.fuse:
                raise ModelError("token_learner.use_normalization is TokenFuser's: it needs token_learner.fuse=true")
        self.grid = grid
        self.after_block = None if token_learner is None else after_block
        self.position = make_position(position, width, grid=grid)
        self.position_kind: PositionKind = position
        self.class_token = ClassToken(width, position=position == "learned") if class_token else None
        self.dropout = nn.Dropout(dropout)
        specs = mixers_of_blocks(mixer, after_block) + mixers_of_blocks(token_mixer, depth - after_block)
        self.blocks = nn.ModuleList()
        for i, chosen in enumerate(specs):
            mixers = [
                make_mixer(width, heads=heads, spec=spec, grid=grid if i < after_block else None) for spec in chosen
            ]
            for layer, spec in zip(mixers, chosen, strict=True):
                if layer.needs_grid and (class_token or i >= after_block):
                    raise ModelError(_needs_grid_message(spec, i, class_token))
            rate = drop_path * i / (depth - 1) if depth > 1 else 0.0
            self.blocks.append(
                Block(
                    width,
                    mixers=mixers,
                    mlp_ratio=mlp_ratio,
                    gelu=gelu,
                    norm_eps=norm_eps,
                    dropout=dropout,
                    drop_path=rate,
                    drop_path_rescale=drop_path_rescale,
                )
            )
        self.mixer_words = [[spec_words(spec) for spec in chosen] for chosen in specs]
        self.meet_at = 0 if class_token else self._first_over_time(after_block)
        self.time_position = make_time_position(position, width, grid=grid)
        if self.time_position is not None and self.meet_at == depth:
            raise ModelError(
                f"`position`={position} adds the time of a token where time steps first meet, but no block looks over "
                f"time: set `position`={SEPARABLE[position]}"
            )
        self.token_learners = nn.ModuleList()
        self.token_fusers = nn.ModuleList()
        if token_learner is not None:
            for _ in range(depth - after_block if token_learner.fuse else 1):
                self.token_learners.append(
                    TokenLearner(
                        width,
                        tokens=token_learner.tokens,
                        version=token_learner.version,
                        bottleneck=token_learner.bottleneck,
                        pooling=token_learner.pooling,
                    )
                )
                if token_learner.fuse:
                    normalise = token_learner.use_normalization is not False
                    self.token_fusers.append(
                        TokenFuser(width, tokens=token_learner.tokens, use_normalization=normalise)
                    )

    def beside_blocks(self) -> Iterator[tuple[nn.Module | None, int]]:
        """Positions and class token with depth 0, TokenLearners and TokenFusers with that of the block they serve."""
        time_depth = self.meet_at + 1 if self.class_token is None else 0  # a class token comes behind all positions
        yield from ((self.position, 0), (self.class_token, 0), (self.time_position, time_depth))
        for layers in (self.token_learners, self.token_fusers):
            yield from ((layer, (self.after_block or 0) + place) for place, layer in enumerate(layers, start=1))

    def forward(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b *axes d"]:
        return self.together(self.alone(x))

    def alone(self, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b *axes d"]:
        """What stands before the block in which time steps meet; of any number of time steps, see `why_together`."""
        x = self.position(x)
        if self.class_token is not None:
            x = self.class_token(x if self.time_position is None else self.time_position(x))
        x = self.dropout(x)
        for i in range(self.meet_at):
            x = self._through(i, x)
        return self.token_learners[0](x) if self._learns_before(self.meet_at) else x

    def together(self, x: Float[Tensor, "b *before d"]) -> Float[Tensor, "b *axes d"]:
        """The encoder's tokens of what `alone` gave for the time steps of a clip."""
        if self.time_position is not None and self.class_token is None:
            x = self.time_position(x)
        for i in range(self.meet_at, len(self.blocks)):
            if i > self.meet_at and self._learns_before(i):
                x = self.token_learners[0](x)
            x = self._through(i, x)
        return x

    def why_together(self) -> list[str]:
        """What keeps time steps from being computed one by one up to a block, and what to set; nothing: they can be."""
        if self.class_token is not None:
            return ["its class token looks at every time step from the first block on: set `pool`=mean"]
        found = []
        if self.meet_at == 0 and not self._learns_before(0):
            first = ", ".join(self.mixer_words[0]) if self.mixer_words else "nothing"
            found.append(
                f"time steps meet in its first block ({first}): set `mixer`={{name: mhsa, axes: space}} up to a "
                "`token_learner`"
            )
        if self.grid[0] > 1 and self.time_position is None and self.position_kind not in (*SEPARABLE, "none"):
            late = {"learned": "learned_separable"}.get(self.position_kind, "sincos_separable")
            found.append(
                f"its positions ({self.position_kind}) tell each token its time at the beginning: set `position`={late}"
            )
        return found

    def _through(self, i: int, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]:
        block = self.blocks[i]
        if not self.token_fusers or self.after_block is None or i < self.after_block:
            return block(x)
        place = i - self.after_block
        return x + self.token_fusers[place](block(self.token_learners[place](x)), x)

    def _learns_before(self, i: int) -> bool:
        """Whether the one TokenLearner, which has no TokenFuser, stands before block i."""
        return i == self.after_block and not self.token_fusers

    def _first_over_time(self, after_block: int) -> int:
        """The first block through which a time step learns of another; those behind a TokenLearner all are."""
        blocks: Any = self.blocks
        for i, block in enumerate(blocks):
            if i >= after_block or not all(getattr(mixer, "steps_apart", False) for mixer in block.mixers):
                return i
        return len(blocks)

    def attention(self, x: Float[Tensor, "b t h w d"]) -> tuple[AttentionMap, ...]:
        """Where the last mixer looks, and in front of it the TokenLearner that made its tokens, if there is one.

        The last mixer is the last whose map holds a where: those that look along time alone are passed over. Attention
        sums to 1 over the clip, with what a class token takes of it. Call it `at_rest`.
        Raises ModelError where no mixer looks from one place to another.
        """
        _, t, h, w, _ = x.shape
        blocks: Any = self.blocks  # a list of modules gives its type checker no more than modules
        at = [(i, j) for i, block in enumerate(blocks) for j in range(len(block.mixers))]
        chosen = last_where([blocks[i].mixers[j] for i, j in at])
        i, j = at[chosen]
        passed_over = chosen < len(at) - 1
        place = f"block {i + 1} of {len(blocks)}"
        words = f"{place}, {self.mixer_words[i][j]}"
        if passed_over:
            words += " (what follows looks along time alone)"
        learners: list[Any] = []
        if self.after_block is not None and i >= self.after_block:
            learners = [self.token_learners[i - self.after_block if self.token_fusers else 0]]
        inputs = inputs_of([blocks[i].mixers[j], *learners], self, x)
        mine = look(blocks[i].mixers[j], inputs[0][0], class_token=self.class_token is not None and not passed_over)
        if not learners:
            maps = rearrange(mine.weights[:, -t * h * w :], "b (t h w) -> b t h w", t=t, h=h, w=w)
            return (AttentionMap(place=words, query=mine.query, meaning=mine.meaning, maps=maps),)
        learned = learners[0].maps(inputs[1][0])
        first = i if self.token_fusers or self.after_block is None else self.after_block
        return (
            AttentionMap(
                place=f"TokenLearner before block {first + 1} of {len(blocks)}",
                query="each learned token",
                meaning="weight of a place in the token"
                + (", 1 over each time step" if learners[0].version == "1.1" else ", 0 to 1"),
                maps=learned,
            ),
            AttentionMap(
                place=words,
                query=mine.query.replace("token", "learned token"),
                meaning=f"{mine.meaning}, spread over the places of each learned token",
                maps=spread_tokens(rearrange(mine.weights, "b (t s) -> b t s", t=t), learned),
            ),
        )


def spec_words(spec: MixerSpec) -> str:
    """A mixer as it was asked for: `mhsa`, or `mhsa (axes=space)`."""
    options = ", ".join(f"{key}={value}" for key, value in spec.items() if key != "name")
    return f"{spec['name']} ({options})" if options else str(spec["name"])


def _needs_grid_message(spec: MixerSpec, block: int, class_token: bool) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in spec.items())
    if class_token:
        return f"mixer ({shown}) of block {block} needs the grid, where no class token stands: set `pool`=mean"
    return (
        f"mixer ({shown}) of block {block} needs the grid, but TokenLearner has left learned tokens: "
        "set `token_mixer.name`=mhsa"
    )
