"""An encoder with a probe with attention behind it."""

from collections.abc import Iterable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import TokenProbeKind
from vidtok.models.encoder_plan import EncoderPlan, encoder_in_front
from vidtok.models.partly_frozen import PartlyFrozen
from vidtok.models.registry import register
from vidtok.models.token_probes import TOKEN_PROBES, make_probe
from vidtok.nn.attentive_probe import INIT_STD
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap


@register("encoder_probe")
class EncoderProbe(PartlyFrozen):
    """An encoder, and one of TOKEN_PROBES on its tokens: what `vidtok fit` saves of such a probe.

    `encoder` and `trained_blocks`: as of `EncoderViViT`. Weights start at random. Raises ModelError for an encoder that
    is none.
    """

    probe: Any

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        encoder: str | EncoderPlan = "tf_efficientnet_lite0",
        trained_blocks: int | None = 0,
        probe: TokenProbeKind = "attentive",
    ):
        super().__init__(frames=frames, size=size)
        self.encoder = encoder_in_front(encoder, frames=frames, size=size)
        self.grid = self.encoder.grid
        self.sees = TOKEN_PROBES[probe]
        self.probe = make_probe(probe, self.encoder.token_width, grid=self.grid, classes=classes)
        self.hold_back(trained_blocks, part="encoder", blocks=len(self.encoder.blocks))

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The encoder's."""
        return self.encoder.blocks

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        return self.encoder.beside_blocks()

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        return self.encoder.arranged(output, depth=depth, clips=clips)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        """What the probe sees: `b t s d`, or `b t h w d` where it needs the grid."""
        grid = self.encoder.tokens(x)
        return grid if self.sees.needs_grid else self.sees.reduction(grid)

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.probe(self.tokens(x))

    def why_whole(self) -> str | None:
        return self.encoder.why_whole()

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t *places d"]]:
        """What the probe sees of each frame."""
        return (self.tokens(x),)

    def logits_of_steps(self, tokens: Float[Tensor, "b t *places d"]) -> Float[Tensor, "b k"]:  # pyright: ignore
        return self.probe(tokens)

    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t h w d"]]:
        """The encoder's tokens, of which the probe sees some."""
        return (self.encoder.tokens(x),)

    def logits_of_maps(self, grid: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b k"]:
        """The logits of clips whose tokens are known."""
        return self.probe(grid if self.sees.needs_grid else self.sees.reduction(grid))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """What the encoder shows."""
        return self.encoder.looks(x)

    def no_weight_decay(self) -> set[str]:
        """What its parts say of their own."""
        return super().no_weight_decay() & dict(self.named_parameters()).keys()

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the probe's own started."""
        drawn = self.sees is TOKEN_PROBES["four_blocks"]

        def start(layer: nn.Linear) -> None:
            nn.init.zeros_(layer.bias)
            nn.init.trunc_normal_(layer.weight, std=INIT_STD) if drawn else nn.init.zeros_(layer.weight)

        self.probe.head = new_linear(self.probe.head, classes, start=start)
