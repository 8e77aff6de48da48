"""Windowed attention: the window that a token stands in, of neighbours or spread over the grid, and its weights."""

from collections.abc import Sequence

import torch

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Point, Scene, Shown, layer_words, register
from vidtok.nn.trace import Mixed, query_rows

MIDDLE = Point(time=0.5, y=0.5, x=0.5)


@register("windows", words="the block and the grid window of the middle, or of `point`, and the weights within it")
def windows(scene: Scene) -> Sequence[Shown]:
    """The window of the token at `point`, by default in the middle of the clip: its border, and the token's attention.

    By default the last layer of each partition; with `layer` those that are asked for.
    """
    layers = [layer for layer in scene.mixers if hasattr(layer.mixer, "window_numbers") and layer.says_where]
    if not layers:
        raise ModelError(f"windows {NOTHING}, which has no windowed attention")
    if scene.ask.layer is None:
        chosen: list[Mixed] = list({layer.mixer.partition: layer for layer in layers}.values())
    else:
        chosen = scene.chosen(layers, kind="windows")
    panels = []
    for layer in chosen:
        t, h, w = layer.grid
        point = scene.ask.point or MIDDLE
        place = point.on(layer.grid)
        numbers = layer.mixer.window_numbers((1 if layer.apart else t, h, w)).expand(t, h, w)
        inside = numbers == numbers[place]
        if layer.apart:
            inside = inside & (torch.arange(t, device=inside.device) == place[0]).view(-1, 1, 1)
        answer = query_rows(layer, place)
        assert answer is not None
        rows, whose = answer
        panels.append(
            Shown(
                title=f"{layer.mixer.partition} window",
                place=layer_words(layer.path, layer.mixer),
                query=whose if scene.ask.point is not None else whose.replace("at the point", "in the middle"),
                meaning="attention within the window, mean of the heads; its border is drawn",
                maps=layer.on_grid(rows.mean(1))[0].float().cpu(),
                regions=inside.long().cpu(),
                point=point,
            )
        )
    return panels
