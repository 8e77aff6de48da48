"""Super tokens: the regions that they gather, as outlines, and how far each of them reaches."""

from collections.abc import Sequence

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, layer_words, register
from vidtok.nn.trace import Mixed

REACHES = 4
"""Super tokens whose reach is shown."""


@register(
    "super_tokens", words="regions that super tokens gather, as outlines that move, and the reach of some of them"
)
def super_tokens(scene: Scene) -> Sequence[Shown]:
    """Outlines of what belongs to each super token, then the shares of the one at `point`, or of the largest ones."""
    layers = [layer for layer in scene.mixers if getattr(layer.mixer, "gathers", False) and layer.says_where]
    if not layers:
        raise ModelError(f"super_tokens {NOTHING}, which gathers none")
    panels = []
    for layer in scene.chosen(layers, kind="super_tokens"):
        shares = shares_of(layer)
        place, query = layer_words(layer.path, layer.mixer), "each super token"
        panels.append(
            Shown(
                title="super tokens",
                place=place,
                query=query,
                meaning="borders between places whose largest share is in different super tokens",
                regions=shares.argmax(-1).cpu(),
            )
        )
        point = scene.ask.point
        if point is not None:
            numbers = [int(shares[point.on(layer.grid)].argmax())]
        else:
            numbers = shares.flatten(0, 2).sum(0).topk(min(REACHES, shares.shape[-1])).indices.tolist()
        panels += [
            Shown(
                title=f"super token {number + 1}",
                place=place,
                query="the super token at the point" if point is not None else "the super tokens that hold most",
                meaning="share of a place in the super token, 0 to 1",
                maps=shares[..., number].float().cpu(),
                point=point,
            )
            for number in numbers
        ]
    return panels


def shares_of(layer: Mixed) -> Float[Tensor, "t h w m"]:
    """Each place's shares in the super tokens of a clip; those of time steps that are seen apart are all different."""
    t, h, w = layer.grid
    shares = layer.mixer.association(layer.inputs)
    if not layer.apart:
        return rearrange(shares, "1 (t h w) m -> t h w m", t=t, h=h, w=w)
    count = shares.shape[-1]
    apart = shares.new_zeros(t, h, w, t * count)
    for step in range(t):
        apart[step, :, :, step * count : (step + 1) * count] = rearrange(shares[step], "(h w) m -> h w m", h=h, w=w)
    return apart
