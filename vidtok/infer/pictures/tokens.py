"""The maps of a TokenLearner: where each learned token is made from."""

from collections.abc import Sequence

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, register


@register("tokens", words="TokenLearner's map of each learned token")
def tokens(scene: Scene) -> Sequence[Shown]:
    """A panel for each learned token of the last TokenLearner; `layer` counts them where there are several."""
    learners, wanted = scene.learners, scene.ask.layer
    if not learners:
        raise ModelError(f"tokens {NOTHING}, which has no TokenLearner")
    if isinstance(wanted, int) and not 1 <= wanted <= len(learners):
        raise ModelError(f"`layer`={wanted}: this network has TokenLearners 1 to {len(learners)}")
    chosen = learners if wanted == "all" else [learners[-1 if wanted is None else wanted - 1]]
    return [
        Shown(
            title=f"token {s + 1}" if len(chosen) == 1 else f"{number}: token {s + 1}",
            place=each.path,
            query="each learned token",
            meaning="weight of a place in the token, "
            + ("1 over each time step" if each.version == "1.1" else "0 to 1 for each place"),
            maps=each.maps[0, :, s].float().cpu(),
        )
        for number, each in enumerate(chosen, start=1)
        for s in range(each.maps.shape[2])
    ]
