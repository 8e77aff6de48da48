"""What the network itself says: `Network.attention`, its last layer that looks anywhere and the TokenLearner before."""

from collections.abc import Sequence

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, register
from vidtok.types import AttentionMap


@register(
    "attention", words="what the network says of its last layer, and of the learned tokens before it; the default"
)
def attention(scene: Scene) -> Sequence[Shown]:
    """The network's own maps; what is nearest to the logits stands first."""
    try:
        found = scene.network.attention(scene.clip)
    except ModelError as error:
        raise ModelError(f"attention {NOTHING}: {error}") from error
    panels: list[Shown] = []
    for each in reversed(found):
        panels += panels_of(each, number=len(panels))
    return panels


def panels_of(found: AttentionMap, *, number: int = 0) -> list[Shown]:
    """One panel, or one for each learned token, of a map of a single clip; `number` of them stand before."""
    maps = found.maps[0].float().cpu()
    if maps.dim() == 3:
        named = [("attention" if number == 0 else f"map {number + 1}", maps)]
    else:
        named = [(f"token {s + 1}", maps[:, s]) for s in range(maps.shape[1])]
    return [
        Shown(title=title, place=found.place, query=found.query, meaning=found.meaning, maps=each)
        for title, each in named
    ]
