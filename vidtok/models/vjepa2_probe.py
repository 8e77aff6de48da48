"""V-JEPA 2's probe behind its encoder: several clips of a video at once, and several depths side by side."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.encoder_plan import EncoderPlan, encoder_in_front
from vidtok.models.network import COLOURS, meta_copy
from vidtok.models.partly_frozen import PartlyFrozen
from vidtok.models.registry import register
from vidtok.nn.attentive_probe import INIT_STD, AttentiveProbe
from vidtok.nn.looks import energy
from vidtok.nn.pool import new_linear
from vidtok.types import AttentionMap


@register("vjepa2_probe")
class VJEPA2Probe(PartlyFrozen):
    """An encoder, and an `AttentiveProbe` on the tokens of all clips and all depths together (arXiv 2506.09985).

        clips ── encoder, one by one ──► tokens at each of `layers`, through the final norm ──► [all of them] ──► probe

    Takes a clip of `frames` frames, or any number of them one after the other: `joins_clips` has testing show all clips
    of a video so. `layers`: blocks of the encoder, counted from 0 as the authors do, whose outputs the probe sees;
    None: the last one's. `heads`, `depth`, `mlp_ratio`, `norm_eps`: of the probe, by default as in Meta's files and
    code. `encoder`, `trained_blocks`: as of `EncoderViViT`. The order of clips and frames tells the probe nothing.
    `vidtok.models.published_probe` makes it of a published file. Raises ModelError for layers that there are not, or
    whose width is not the last one's.
    """

    joins_clips = True

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 256,
        encoder: str | EncoderPlan = "tf_efficientnet_lite0",
        trained_blocks: int | None = 0,
        layers: Sequence[int] | None = None,
        heads: int = 16,
        depth: int = 4,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-5,
    ):
        super().__init__(frames=frames, size=size)
        self.encoder = encoder_in_front(encoder, frames=frames, size=size)
        self.grid, width = self.encoder.grid, self.encoder.token_width
        self.layers = None if layers is None else tuple(layers)
        self._check_layers(width)
        self.probe = AttentiveProbe(
            width, classes=classes, heads=heads, depth=depth, mlp_ratio=mlp_ratio, norm_eps=norm_eps
        )
        self.hold_back(trained_blocks, part="encoder", blocks=len(self.encoder.blocks))

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The encoder's."""
        return self.encoder.blocks

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        return self.encoder.beside_blocks()

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        return self.encoder.arranged(output, depth=depth, clips=clips)

    def features(self, x: Tensor, *, depths: Sequence[int] | None = None) -> Any:
        """As of every network; the time steps of several clips stand one after the other."""
        if depths is None:
            return super().features(x)

        def chosen(videos: Tensor) -> list[Tensor]:
            found = self.encoder.features(self._apart(videos), depths=depths)
            return [rearrange(each, "(b g) t ... -> b (g t) ...", b=videos.shape[0]) for each in found]

        return self._answer(x, chosen)

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        """What the probe sees: the grid `b t h w d`; of several depths `b t s d`."""
        return self._joined(self._levels(x), videos=x.shape[0])

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.probe(self.tokens(x))

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """How active the last grid is."""
        grid = self._joined([self.encoder.tokens(self._apart(x))], videos=x.shape[0])
        return (energy(grid, place="the encoder's last grid, before the probe"),)

    def check_clip(self, x: Tensor) -> None:
        """Of several clips one after the other the first stands for all."""
        frames = self.clip[0]
        if x.ndim == 5 and x.shape[1] % frames == 0 and (frames, *x.shape[3:]) in self.clips:
            super().check_clip(x[:, :frames])
        else:
            super().check_clip(x)

    def no_weight_decay(self) -> set[str]:
        """What its parts say of their own."""
        return super().no_weight_decay() & dict(self.named_parameters()).keys()

    def reset_classifier(self, classes: int) -> None:
        """A new last layer, as the probe's own started."""

        def start(layer: nn.Linear) -> None:
            nn.init.trunc_normal_(layer.weight, std=INIT_STD)
            nn.init.zeros_(layer.bias)

        self.probe.head = new_linear(self.probe.head, classes, start=start)

    def _apart(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "n f2 c y x"]:
        return rearrange(x, "b (g f) c y x -> (b g) f c y x", f=self.clip[0])

    def _levels(self, x: Float[Tensor, "b f c y x"]) -> list[Float[Tensor, "n t h w d"]]:
        clips = self._apart(x)
        if self.layers is None:
            return [self.encoder.tokens(clips)]
        return self.encoder.features(clips, depths=[layer + 1 for layer in self.layers])

    def _joined(self, levels: Sequence[Float[Tensor, "n t h w d"]], *, videos: int) -> Float[Tensor, "b *axes d"]:
        last, *others = levels
        if not others:
            return rearrange(last, "(b g) t h w d -> b (g t) h w d", b=videos)
        return torch.cat([rearrange(level, "(b g) t h w d -> b (g t) (h w) d", b=videos) for level in levels], dim=2)

    def _check_layers(self, width: int) -> None:
        last = len(self.encoder.blocks)
        if self.layers is not None and (not self.layers or not all(0 <= layer < last for layer in self.layers)):
            raise ModelError(f"layers={list(self.layers)}: the encoder has blocks 0 to {last - 1}")
        frames, rows, columns = self.clip
        clip = torch.empty(1, frames, COLOURS, rows, columns, device="meta")
        with torch.no_grad():
            found = meta_copy(self.encoder).features(clip, depths=[layer + 1 for layer in self.layers or ()])
        shapes = {tuple(level.shape[1:]) for level in found}
        if shapes - {(*self.grid, width)}:
            raise ModelError(
                f"layers={list(self.layers or ())}: a probe sees depths of one grid and width side by side, but they "
                f"have {', '.join(map(str, sorted(shapes)))}, and the last one {(*self.grid, width)}"
            )
