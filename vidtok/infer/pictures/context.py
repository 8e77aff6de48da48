"""Additive attention: the context that all tokens share, place by place."""

from collections.abc import Sequence

from einops import reduce

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, layer_words, register


@register("context", words="the context map of additive attention, by `layer`")
def context(scene: Scene) -> Sequence[Shown]:
    """The mean magnitude over the channels of what an additive mixer shows, for each layer that is asked for."""
    attending = {id(layer) for layer in scene.attending_all}
    layers = [layer for layer in scene.mixers if layer.says_where and id(layer) not in attending]
    if not layers:
        raise ModelError(f"context {NOTHING}, which has no additive attention")
    panels = []
    for layer in scene.chosen(layers, kind="context"):
        found, _ = layer.mixer.attention_map(layer.tokens)
        weights = reduce(found.abs().flatten(1, -2), "n tokens d -> n tokens", "mean")
        panels.append(
            Shown(
                title=f"context {layers.index(layer) + 1}",
                place=layer_words(layer.path, layer.mixer),
                query="the same for every token",
                meaning=f"mean magnitude of {getattr(layer.mixer, 'map_meaning', 'the map')}",
                maps=layer.on_grid(weights)[0].float().cpu(),
            )
        )
    return panels
