"""A picture network of timm, frame by frame, with a linear layer on what its maps say of the clip."""

from collections.abc import Iterable
from typing import Any

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import Summary
from vidtok.errors import ModelError
from vidtok.models.registry import register
from vidtok.models.summary_network import SummaryNetwork

MIDDLE_STRIDES = (8, 16)
"""In pixels, of the cells of the middle layer."""


@register("encoder")
class PictureEncoder(SummaryNetwork):
    """Any picture network of timm on every frame of a clip, its maps summed up as one vector, and a linear layer.

    `encoder`: timm's name. `summary`: what the linear layer sees, see `SummaryNetwork`. The order of frames tells in
    `motion` alone. `trained_blocks`: of the picture network, see `PartlyFrozen`. Weights start at random: `vidtok fit`
    and a run of `vidtok train` bring them. Takes normalised clips `b f c y x`, gives
    logits. Raises ModelError for a name that timm does not have, and for a network that gives no maps.
    """

    frames_apart = True

    def __init__(
        self,
        *,
        classes: int,
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        encoder: str = "tf_efficientnet_lite0",
        summary: Summary = "mean",
        trained_blocks: int | None = 0,
    ):
        super().__init__(frames=frames, size=size)
        self.body = picture_network(encoder, self.clip[1:])
        self.middle = middle_layer(self.body)
        self.channels_last = getattr(self.body, "output_fmt", "NCHW") == "NHWC"
        self.add_head(classes, summary=summary, trained_blocks=trained_blocks)

    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t h w d"], Float[Tensor, "b t h2 w2 d2"]]:
        """The last maps of every frame, and the middle layer's."""
        body: Any = self.body
        pictures = rearrange(x, "b f c y x -> (b f) c y x")
        last, (middle, outer) = body.forward_intermediates(
            pictures, indices=[self.middle, len(body.feature_info) - 1], output_fmt="NCHW"
        )
        if last.ndim == 3:  # tokens, with class and register tokens among them: the last block's grid, normed like them
            last = body.norm(outer.movedim(1, -1)).movedim(-1, 1)
        elif self.channels_last:
            last = last.movedim(-1, 1)
        steps = x.shape[1]
        return (
            rearrange(last, "(b t) d h w -> b t h w d", t=steps),
            rearrange(middle, "(b t) d h w -> b t h w d", t=steps),
        )

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The stages or blocks of the picture network."""
        for name in ("blocks", "stages", "layers"):
            part = getattr(self.body, name, None)
            if isinstance(part, nn.Sequential | nn.ModuleList):
                return tuple(part)
        layers = [getattr(self.body, f"layer{k}", None) for k in range(1, 5)]  # of a ResNet
        found = tuple(layer for layer in layers if isinstance(layer, nn.Module))
        return found or (self.body,)

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """What stands behind the last block belongs to the head; all else, such as positions, before the first."""
        blocks = self.blocks
        if blocks == (self.body,):
            return []
        held = {id(module) for block in blocks for module in block.modules()}
        layers = list(self.body.children())
        last = max(place for place, layer in enumerate(layers) if any(id(part) in held for part in layer.modules()))
        return [(self.body, 0), *((layer, len(blocks) + 1) for layer in layers[last + 1 :])]

    def arranged(self, output: Tensor, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        """Frames of a clip apart: `b t h w d`, or `b t n d` where tokens that are no places stand among them."""
        if output.ndim == 3:
            return rearrange(output, "(b t) n d -> b t n d", b=clips)
        if self.channels_last:
            return rearrange(output, "(b t) h w d -> b t h w d", b=clips)
        return rearrange(output, "(b t) d h w -> b t h w d", b=clips)

    def no_weight_decay(self) -> set[str]:
        """What the picture network says of its own."""
        said = getattr(self.body, "no_weight_decay", set)()
        return {f"body.{name}" for name in said} & dict(self.named_parameters()).keys()


def picture_network(name: str, size: tuple[int, int]) -> nn.Module:
    """timm's network of this name without its last layer and without weights; ModelError where there is none."""
    import timm  # registers a thousand networks: for more than torch's own import takes

    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0]}*")[:4]
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ModelError(f"encoder={name!r}: timm has no network of this name{hint}")
    base, _, tag = name.partition(".")
    if tag and not is_tag(name):
        tagged = {each.partition(".")[2] for each in timm.list_models(f"{base}.*", pretrained=True)}
        raise ModelError(f"encoder={name!r}: timm has no weights {tag!r} of {base}; it has {', '.join(sorted(tagged))}")
    options: dict[str, Any] = {"pretrained": False, "num_classes": 0}
    try:
        return timm.create_model(name, img_size=size, **options)
    except TypeError:  # convolutions take any size, and no option of it
        return timm.create_model(name, **options)


def is_tag(name: str) -> bool:
    """Whether timm knows the weights that the name has behind its dot."""
    import timm

    try:
        return timm.get_pretrained_cfg(name) is not None
    except RuntimeError:  # its word for a tag that is none
        return False


def middle_layer(body: nn.Module) -> int:
    """The index, among the maps that timm gives, of the middle layer: the last of stride 16, or of stride 8 where the
    network ends with that; halfway where all layers have one stride. ModelError for a network without maps."""
    told = getattr(body, "feature_info", None)
    if told is None or not hasattr(body, "forward_intermediates"):
        raise ModelError(f"{type(body).__name__}: timm gives no maps of this network; take another encoder")
    strides = [layer["reduction"] for layer in told]
    if len(set(strides)) == 1:
        return max(0, len(strides) // 2 - 1)
    fitting = [index for index, stride in enumerate(strides) if stride in MIDDLE_STRIDES and stride < strides[-1]]
    if not fitting:
        raise ModelError(f"{type(body).__name__}: has no layer of stride 8 or 16; its strides are {strides}")
    return fitting[-1]
