"""Weights of timm's MaxViT in its TensorFlow form (`maxvit_*_tf_*`)."""

import re
from collections.abc import Mapping

from torch import Tensor

from vidtok.models.maxvit import MaxViT, MaxViTBlock
from vidtok.models.weights.image_form import load_renamed
from vidtok.models.weights.report import Report

IN_LAYER = (
    ("norm1.", "mixer_norm."),
    ("attn.qkv.", "mixer.qkv."),
    ("attn.proj.", "mixer.proj."),
    ("attn.rel_pos.relative_position_bias_table", "mixer.bias"),
    ("norm2.", "mlp_norm."),
    ("mlp.fc1.", "mlp.0."),
    ("mlp.fc2.", "mlp.2."),
)
IN_BLOCK = {
    "conv.shortcut.expand.": "conv.shortcut.",
    "conv.pre_norm.": "conv.pre_norm.norm.",
    "conv.conv1_1x1.": "conv.expand.",
    "conv.norm1.": "conv.expand_norm.norm.",
    "conv.conv2_kxk.": "conv.conv.",
    "conv.norm2.": "conv.conv_norm.norm.",
    "conv.se.fc1.": "conv.excite.reduce.",
    "conv.se.fc2.": "conv.excite.expand.",
    "conv.conv3_1x1.": "conv.contract.",
    **{f"attn_block.{old}": f"block.{new}" for old, new in IN_LAYER},
    **{f"attn_grid.{old}": f"spread.{new}" for old, new in IN_LAYER},
}
OUTSIDE_BLOCKS = {
    "stem.conv1.": "stem.0.",
    "stem.norm1.": "stem.1.norm.",
    "stem.conv2.": "stem.3.",
    "head.norm.": "norm.",
    "head.pre_logits.fc.": "pre_logits.",
    "head.fc.": "head.",
}


def load_maxvit_timm(module: MaxViT | MaxViTBlock, state: Mapping[str, Tensor]) -> Report:
    """Bring timm's weights into a network for images or clips, or into one of its blocks.

    Bias tables of another window are resized, and spread over time. timm's other MaxViT families (`rw`, `rmlp`) are
    other networks: their keys do not fit. Raises CheckpointError, naming the keys, for what does not fit.
    """

    def rename(key: str) -> str | None:
        place = re.match(r"stages\.(\d+)\.blocks\.(\d+)\.", key)
        if isinstance(module, MaxViT) and place is None:
            return _beginning(key, OUTSIDE_BLOCKS)
        prefix = f"stages.{place[1]}.{place[2]}." if place else ""
        rest = _beginning(key[place.end() :] if place else key, IN_BLOCK)
        return None if rest is None else prefix + rest

    return load_renamed(module, state, rename=rename)


def _beginning(key: str, table: Mapping[str, str]) -> str | None:
    """The key with its beginning replaced, or None where the table has none that fits."""
    return next((new + key[len(old) :] for old, new in table.items() if key.startswith(old)), None)
