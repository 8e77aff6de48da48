"""Weights of the authors' CAS-ViT (`.pth` files)."""

import re
from collections.abc import Mapping

from jaxtyping import Shaped
from torch import Tensor

from vidtok.errors import CheckpointError
from vidtok.models.casvit import CASViT, CASViTBlock
from vidtok.models.weights.image_form import load_renamed
from vidtok.models.weights.report import Report
from vidtok.nn.mixers.conv_additive import ConvAdditive

IN_MIXER = (
    (r"^qkv\.", "qkv."),
    (r"^oper_(q|k)\.0\.block\.0\.", r"gate_\1.0.conv."),
    (r"^oper_(q|k)\.0\.block\.1\.", r"gate_\1.0.norm.norm."),
    (r"^oper_(q|k)\.0\.block\.3\.", r"gate_\1.0.score."),
    (r"^oper_(q|k)\.1\.block\.1\.", r"gate_\1.1.score."),
    (r"^dwc\.", "context."),
    (r"^proj\.", "proj."),
)
IN_BLOCK = (
    (r"^local_perception\.network\.(0|2|4)\.", r"local.\1."),
    (r"^local_perception\.network\.1\.", "local.1.norm."),
    (r"^norm1\.", "mixer_norm.norm."),
    (r"^norm2\.", "mlp_norm.norm."),
    (r"^mlp\.fc1\.", "mlp.0."),
    (r"^mlp\.fc2\.", "mlp.3."),
)
OUTSIDE_BLOCKS = (
    (r"^patch_embed\.(0|3)\.", r"stem.\1."),
    (r"^patch_embed\.(1|4)\.", r"stem.\1.norm."),
    (r"^norm\.", "norm.norm."),
    (r"^(head|dist_head)\.", r"\1."),
)


def load_casvit(module: CASViT | CASViTBlock | ConvAdditive, state: Mapping[str, Tensor]) -> Report:
    """Bring the authors' weights into a network for images or clips, into one of its blocks, or into a mixer.

    A distillation head that the weights have and the network has not is averaged with the head: the logits are then
    the authors' test output, the mean of both heads. Raises CheckpointError, naming the keys, for what does not fit.
    """
    rename = _in_network if isinstance(module, CASViT) else _in_block if isinstance(module, CASViTBlock) else _in_mixer
    averaged: dict[str, str] = {}
    skipped: dict[str, str] = {}
    if isinstance(module, CASViT):
        distilled = "dist_head.weight" in state
        if module.dist_head is not None and not distilled:
            raise CheckpointError("these weights have no distillation head: set `dist_head`=false")
        if module.dist_head is None and distilled:
            averaged = dict.fromkeys(("head.weight", "head.bias"), "the mean of head and dist_head")
            skipped = {f"dist_{key}": "in the mean with head" for key in averaged}

    def relayout(key: str, tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return (tensor + state[f"dist_{key}"]) / 2 if key in averaged else tensor

    return load_renamed(module, state, rename=rename, relayout=relayout, changed=averaged, skip=skipped)


def _in_network(key: str) -> str | None:
    place = re.match(r"network\.(\d+)\.", key)
    if place is None:
        return _renamed(key, OUTSIDE_BLOCKS)
    stage, between = divmod(int(place[1]), 2)
    rest = key[place.end() :]
    if between:
        return _renamed(rest, ((r"^proj\.", f"downsamples.{stage}.0."), (r"^norm\.", f"downsamples.{stage}.1.norm.")))
    number, _, rest = rest.partition(".")
    inside = _in_block(rest)
    return None if inside is None else f"stages.{stage}.{number}.{inside}"


def _in_block(key: str) -> str | None:
    if key.startswith("attn."):
        inside = _in_mixer(key.removeprefix("attn."))
        return None if inside is None else f"mixer.{inside}"
    return _renamed(key, IN_BLOCK)


def _in_mixer(key: str) -> str | None:
    return _renamed(key, IN_MIXER)


def _renamed(key: str, rules: tuple[tuple[str, str], ...]) -> str | None:
    return next((re.sub(old, new, key) for old, new in rules if re.match(old, key)), None)
