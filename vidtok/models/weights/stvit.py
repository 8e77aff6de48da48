"""Weights of the authors' STViT (`.pth` files)."""

import re
from collections.abc import Mapping

from einops import rearrange
from jaxtyping import Shaped
from torch import Tensor

from vidtok.models.stvit import STViT, STViTBlock
from vidtok.models.weights.image_form import load_renamed
from vidtok.models.weights.report import Report
from vidtok.nn.mixers.super_token import SuperToken

IN_MIXER = ((r"^(?:stoken_refine\.)?qkv\.", "refine.qkv."), (r"^(?:stoken_refine\.)?proj\.", "refine.projection."))
IN_BLOCK = (
    (r"^pos_embed\.conv\.", "position.conv."),
    (r"^norm1\.norm\.", "mixer_norm."),
    (r"^attn\.(?:stoken_refine\.)?qkv\.", "mixer.refine.qkv."),
    (r"^attn\.(?:stoken_refine\.)?proj\.", "mixer.refine.projection."),
    (r"^norm2\.", "mlp_norm.norm."),
    (r"^mlp2\.fc1\.", "mlp.expand."),
    (r"^mlp2\.conv\.conv\.", "mlp.conv.conv."),
    (r"^mlp2\.fc2\.", "mlp.contract."),
    (r"^gamma_1$", "mixer_scale"),
    (r"^gamma_2$", "mlp_scale"),
)
IN_NETWORK = (
    (r"^patch_embed\.proj\.(0|3|6|9)\.", r"stem.\1."),
    (r"^patch_embed\.proj\.(2|5|8|11)\.", r"stem.\1.norm."),
    (r"^layers\.(\d+)\.downsample\.proj\.0\.", r"downsamples.\1.0."),
    (r"^layers\.(\d+)\.downsample\.proj\.1\.", r"downsamples.\1.1.norm."),
    (r"^proj\.", "projection."),
    (r"^norm\.", "norm.norm."),
    (r"^(head\.)", r"\1"),
    *((rf"^layers\.(\d+)\.blocks\.(\d+)\.{old[1:]}", rf"stages.\1.\2.{new}") for old, new in IN_BLOCK),
)


def load_stvit(module: STViT | STViTBlock | SuperToken, state: Mapping[str, Tensor]) -> Report:
    """Bring the authors' weights into a network for images or clips, into one of its blocks, or into a mixer.

    Their queries, keys and values stand head by head, ours one after the other. The one-hot kernels of their
    (un)folding are constants and are left out. Raises CheckpointError, naming the keys, for what does not fit.
    """
    rules = IN_NETWORK if isinstance(module, STViT) else IN_BLOCK if isinstance(module, STViTBlock) else IN_MIXER
    heads = {name: mixer.refine.heads for name, mixer in module.named_modules() if isinstance(mixer, SuperToken)}

    def rename(key: str) -> str | None:
        return next((re.sub(old, new, key) for old, new in rules if re.match(old, key)), None)

    def relayout(key: str, tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        target = rename(key)
        if target is None or ".qkv." not in f".{target}":
            return tensor
        mixer = target.rpartition("refine.qkv.")[0].rstrip(".")
        return rearrange(tensor, "(e three d) ... -> (three e d) ...", three=3, e=heads[mixer])

    constant = {key: "a constant" for key in state if key.endswith("fold.weights")}
    return load_renamed(module, state, rename=rename, relayout=relayout, skip=constant)
