"""Attention rollout: how much of each place reaches the answer through all layers of attention."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import NOTHING, Scene, Shown, layer_words, register
from vidtok.nn.trace import Mixed


@register("rollout", words="attention rolled out through the layers, from the answer back to the grid")
def rollout(scene: Scene) -> Sequence[Shown]:
    """One panel: shares of the class token, of the pooled mean, or of the token at `point`.

    Abnar and Zuidema, arXiv 2005.00928: each layer is (A + I) / 2 with rows that sum to one, A the mean of its heads;
    MLPs and values have no part in it. It differs where tokens change: behind a TokenLearner shares go on to the places
    that a learned token was made of, and from a time encoder to the tokens of its time steps. It ends at the first
    layer (from the answer back) that has no attention, or another grid, and says at which.
    """
    layers = list(scene.attending_all)
    while layers and layers[-1].grid[1] * layers[-1].grid[2] == 1 and not _steps_of(layers, len(layers) - 1):
        layers.pop()  # a grid of one place says nothing of where
    attending = {id(layer) for layer in scene.attending_all}
    if not layers or not any(layer.says_where for layer in layers):
        raise ModelError(f"rollout {NOTHING}, which has no attention between the tokens of its last grid")
    after = scene.mixers[scene.mixers.index(layers[-1]) + 1 :]
    if any(layer.says_where and id(layer) not in attending for layer in after):
        raise ModelError(f"rollout {NOTHING}, whose last mixers have no attention between tokens")
    last = layers[-1]
    shares = _start(scene, last)
    done = last
    for layer in reversed(scene.mixers[: scene.mixers.index(last) + 1]):
        moved = shares if layer is last else _onto(shares, done, layer)
        if moved is None or id(layer) not in attending:
            break
        shares, done = _through(layer, moved), layer
    maps = done.on_grid(shares)[0]
    words = layer_words(last.path, last.mixer)
    if done is not last:
        words = f"from {words} back to {layer_words(done.path, done.mixer)}"
    return [
        Shown(
            title="rollout",
            place=words,
            query="the token at the point"
            if scene.ask.point
            else "the class token"
            if last.class_token
            else "the mean",
            meaning="share of a place in it, when attention and shortcuts count alike",
            maps=maps.float().cpu(),
            point=scene.ask.point,
        )
    ]


def _steps_of(layers: Sequence[Mixed], index: int) -> bool:
    """Whether this layer stands among time steps that layers before it have made one vector of, each apart."""
    own = layers[index]
    return any(
        layer.apart and layer.grid[0] == own.grid[0] and layer.says_where and not own.apart for layer in layers[:index]
    )


def _start(scene: Scene, layer: Mixed) -> Float[Tensor, "n tokens"]:
    """Whose shares are rolled out, as shares of the last layer's tokens."""
    tokens = layer.inputs.flatten(1, -2)
    shares = tokens.new_zeros(tokens.shape[:2])
    steps = layer.grid[0] if layer.apart else 1
    if scene.ask.point is not None and layer.says_where:
        t, y, x = scene.ask.point.on(layer.grid)
        clip, step = (t, 0) if layer.apart else (0, t)
        if layer.learned is not None:
            own = layer.learned.maps[0, t, :, y, x]
            shares[clip, step * len(own) : (step + 1) * len(own)] = own / own.sum()
        else:
            shares[clip, (step * layer.grid[1] + y) * layer.grid[2] + x + layer.class_token] = 1.0
        return shares
    if layer.class_token:
        shares[:, 0] = 1.0 / steps
        return shares
    return torch.full_like(shares, 1.0 / shares.numel())


def _through(layer: Mixed, shares: Float[Tensor, "n tokens"]) -> Float[Tensor, "n tokens"]:
    """Shares of a layer's output as shares of its input."""
    attention, _ = layer.mixer.attention_map(layer.tokens)
    mean = attention.mean(1)
    parts = shares / (1 + mean.sum(-1))  # super tokens' rows sum to less than one
    return parts + torch.einsum("nq,nqk->nk", parts, mean)


def _onto(shares: Float[Tensor, "n tokens"], later: Mixed, earlier: Mixed) -> Float[Tensor, "m places"] | None:
    """Shares of the later layer's tokens as shares of the earlier one's; None where nobody knows how."""
    same = (later.grid, later.apart, later.class_token, later.learned) == (
        earlier.grid,
        earlier.apart,
        earlier.class_token,
        earlier.learned,
    )
    if same:
        return shares
    t, _, _ = earlier.grid
    steps = t if earlier.apart else 1
    if later.learned is not None and earlier.learned is None and later.grid == earlier.grid and not earlier.class_token:
        return rearrange(later.on_grid(shares), "b (u t) h w -> (b u) (t h w)", u=steps)
    if later.learned is None and later.grid == (t, 1, 1) and earlier.apart and not later.apart:
        by_step = shares[0, 1:] if later.class_token else shares[0]
        tokens = earlier.inputs.flatten(1, -2)
        onto = tokens.new_zeros(tokens.shape[:2])
        if earlier.class_token:
            onto[:, 0] = by_step
        else:
            onto += by_step[:, None] / onto.shape[1]
        return onto
    return None
