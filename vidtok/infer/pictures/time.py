"""What of the time counts: a strip below the video, a number for each time step."""

from collections.abc import Callable, Sequence
from typing import Any

from einops import reduce
from torch import Tensor, nn

from vidtok.infer.pictures.gradient import class_parts
from vidtok.infer.pictures.scene import Scene, Shown, register


@register("time", words="a probe's attention over time, or each frame's evidence for the class, as a strip")
def time(scene: Scene) -> Sequence[Shown]:
    """A strip: what a probe's query takes from each time step, or how much each of them speaks for the class.

    A part of the network that has `shares` (b t s, what its query takes from each token) shows them; one that has
    `evidence` (b t k, the logits as a sum over time steps) shows that of the class; every other network shows gradient
    times activation of the last grid, summed over each time step, which is exact for means and a linear layer.
    """
    strips = [
        Shown(
            title="attention over time" if name == "shares" else f"evidence for {scene.label_name}",
            place=path or type(scene.network).__name__,
            query="the probe's query" if name == "shares" else scene.class_words,
            meaning="attention that a time step gets, 1 over the clip"
            if name == "shares"
            else "part of the logit that comes from a time step",
            over_time=(found.flatten(2).sum(-1) if name == "shares" else found[..., scene.label])[0].float().cpu(),
        )
        for path, name, found in _told(scene)
    ]
    if strips:
        return strips
    parts, place = class_parts(scene)
    return [
        Shown(
            title=f"evidence for {scene.label_name}",
            place=place,
            query=scene.class_words,
            meaning="gradient times activation, summed over a time step",
            over_time=reduce(parts, "t h w -> t", "sum").cpu(),
        )
    ]


def _told(scene: Scene) -> list[tuple[str, str, Tensor]]:
    """What parts of the network say of time, each by its path."""
    told: list[tuple[str, str, Tensor]] = []

    def asking(path: str, module: Any, name: str) -> Callable[..., None]:
        def ask(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            told.append((path, name, getattr(module, name)(inputs[0])))

        return ask

    hooks = [
        module.register_forward_pre_hook(asking(path, module, name))
        for path, module in scene.network.named_modules()
        for name in ("shares", "evidence")
        if callable(getattr(module, name, None))
    ]
    try:
        scene.network.logits(scene.clip)
    finally:
        for hook in hooks:
            hook.remove()
    return told
