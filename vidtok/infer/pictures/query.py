"""Attention of a chosen query, layer by layer and head by head."""

from collections.abc import Sequence

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import Scene, Shown, layer_words, register
from vidtok.nn.looks import ALL_HEADS, heads_of
from vidtok.nn.trace import query_rows


@register("query", words="attention of the class token, or of the token at `point`, by `layer` and `head`")
def query(scene: Scene) -> Sequence[Shown]:
    """A panel for each layer and head that is asked for; by default the last layer, the mean of its heads."""
    panels = []
    layers = scene.attending
    for layer in scene.chosen(layers, kind="query"):
        point = scene.ask.point
        answer = query_rows(layer, None if point is None else point.on(layer.grid))
        assert answer is not None  # `attending` has asked
        rows, whose = answer
        count, wanted = rows.shape[1], scene.ask.head
        if isinstance(wanted, int) and not 1 <= wanted <= count:
            raise ModelError(f"`head`={wanted}: {layer.path} has heads 1 to {count}")
        numbers = range(1, count + 1) if wanted == "all" else [wanted]
        for number in numbers:
            part = heads_of(layer.mixer) or ALL_HEADS
            weights = rows[:, part].mean(1) if number is None else rows[:, number - 1]
            which = "mean of the heads" if part == ALL_HEADS else "mean of the heads that look over space"
            title = f"layer {layers.index(layer) + 1}" + ("" if number is None else f" head {number}")
            panels.append(
                Shown(
                    title=title,
                    place=layer_words(layer.path, layer.mixer),
                    query=whose,
                    meaning=f"{getattr(layer.mixer, 'map_meaning', 'attention')}, "
                    + (which if number is None else "one head"),
                    maps=layer.on_grid(weights)[0].float().cpu(),
                    point=point,
                )
            )
    return panels
