"""Every class of networks at about its smallest, and every way in which tokens stand in it."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import torch

from tests.models import test_baselines as baselines
from tests.models.families import TINY, tiny
from tests.models.per_colour import PerColour
from vidtok.choices import TokenProbeKind
from vidtok.models import network_class
from vidtok.models.encoder import PictureEncoder
from vidtok.models.encoder_plan import EncoderPlan
from vidtok.models.encoder_probe import EncoderProbe
from vidtok.models.encoder_vivit import EncoderViViT
from vidtok.models.network import Network
from vidtok.models.own_encoder import OwnEncoder
from vidtok.models.token_probes import TOKEN_PROBES
from vidtok.models.transformers_encoder import TransformersEncoder
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.vjepa2_probe import VJEPA2Probe
from vidtok.nn.token_learner import TokenLearnerOptions

PROBED = {"frames": 2, "size": 64, "encoder": "test_efficientnet"}


def probed(kind: TokenProbeKind) -> Callable[[], Network]:
    return lambda: EncoderProbe(**PROBED, probe=kind, trained_blocks=1, classes=5)


SIZES = {"classes": 5, "frames": 4, "size": (16, 24), "tubelet": (2, 8, 8), "width": 12, "depth": 2, "heads": 2}
LEARNED = TokenLearnerOptions(after_block=1, tokens=3)
FUSED = TokenLearnerOptions(after_block=1, tokens=3, fuse=True)
SPACE, TIME = {"name": "mhsa", "axes": "space"}, {"name": "mhsa", "axes": "time"}
APART = {**SIZES, "mixer": SPACE, "token_learner": TokenLearnerOptions(after_block=0, tokens=3)}
OWN: dict[str, Callable[[], Network]] = {
    "vivit": lambda: ViViT(**SIZES),
    "vivit, class token": lambda: ViViT(**SIZES, pool="cls"),
    "vivit, Model 3": lambda: ViViT(**SIZES, mixer=[[SPACE, TIME]], position="sincos_3d"),
    "vivit, Model 4": lambda: ViViT(**SIZES, mixer={"name": "mhsa", "axes": "split"}, norm_position="after_pool"),
    "vivit, TokenLearner": lambda: ViViT(**SIZES, token_learner=LEARNED, pre_logits=8),
    "vivit, TokenFuser": lambda: ViViT(**SIZES, token_learner=FUSED, position="none"),
    "vivit, multi_axis": lambda: ViViT(**SIZES, mixer={"name": "multi_axis", "window": (2, 2, 2)}),
    "vivit, super_token": lambda: ViViT(**SIZES, mixer={"name": "super_token"}),
    "vivit, conv_additive": lambda: ViViT(**SIZES, mixer={"name": "conv_additive"}),
    "factorised": lambda: FactorisedEncoderViViT(**SIZES, time_depth=2, pool="cls"),
    "factorised, mean over time": lambda: FactorisedEncoderViViT(**SIZES, time_depth=0),
    "factorised, TokenLearner": lambda: FactorisedEncoderViViT(**SIZES, time_depth=1, token_learner=LEARNED),
    **{name: lambda name=name: tiny(name, frames=2, size=32, **SMALLER.get(name, {})).float() for name in TINY},
    "casvit, two heads": lambda: tiny("casvit", frames=2, size=32, dist_head=True).float(),
    "encoder": lambda: PictureEncoder(**ENCODER, trained_blocks=None, classes=5),
    "own": lambda: OwnEncoder(**OWN_ENCODER, trained_blocks=None, classes=5),
    "transformers": lambda: TransformersEncoder(**VJEPA2, trained_blocks=None, classes=5),
    "encoder_vivit": lambda: EncoderViViT(**BEHIND, classes=5),
    "a plugin's": lambda: PerColour(classes=5),
}
ENCODER = {"frames": 2, "size": 64, "encoder": "test_vit", "summary": "maps"}
OWN_ENCODER = {
    "network": "vivit",
    "options": {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2, "pre_logits": 8},
    "frames": 4,
    "size": (16, 24),
    "summary": "maps",
}
VJEPA2 = {
    "config": {
        "model_type": "vjepa2",
        "patch_size": 8,
        "tubelet_size": 2,
        "hidden_size": 24,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "pred_num_hidden_layers": 1,
        "pred_hidden_size": 24,
        "pred_num_attention_heads": 2,
    },
    "frames": 4,
    "size": 16,
    "summary": "maps",
}
VJEPA2_OPTIONS = {key: value for key, value in VJEPA2.items() if key not in ("frames", "size", "summary")}
SEGMENTED = {
    "encoder": EncoderPlan(network="transformers", options=VJEPA2_OPTIONS),
    "frames": 4,
    "size": 16,
    "heads": 2,
    "depth": 2,
}
NORMED = {"frames": 2, "size": 64, "encoder": "test_efficientnet", "summary": "time"}
BEHIND_SIZES = {"width": 12, "depth": 2, "heads": 2}
BEHIND = {"frames": 2, "size": 64, "encoder": "test_vit", **BEHIND_SIZES}
SMALLER = {"maxvit": {"window": (1, 1, 1)}}
LIBRARIES: dict[str, Callable[[], Network]] = {
    name: lambda name=name: baselines.small(name) for name in baselines.SMALL
}
AROUND: dict[str, Callable[[], Network]] = {
    "vivit, steps apart": lambda: ViViT(**SIZES, mixer=SPACE, token_learner=LEARNED, position="learned_separable"),
    "vivit, steps apart by sines": lambda: ViViT(**APART, position="sincos_separable"),
    "vivit, TokenFuser and steps apart": lambda: ViViT(
        **SIZES, mixer=SPACE, token_learner=FUSED, position="learned_separable"
    ),
    "vivit, class token, separable": lambda: ViViT(**SIZES, pool="cls", position="learned_separable"),
    "encoder_vivit, steps apart": lambda: EncoderViViT(
        **BEHIND, classes=5, mixer=SPACE, token_learner=LEARNED, position="learned_separable"
    ),
    "encoder, frozen": lambda: PictureEncoder(**ENCODER, classes=5),
    "encoder, norms and two blocks trained": lambda: PictureEncoder(**NORMED, trained_blocks=2, classes=5),
    **{f"encoder_probe, {kind}": probed(kind) for kind in TOKEN_PROBES},
    "vjepa2_probe": lambda: VJEPA2Probe(**SEGMENTED, trained_blocks=None, classes=5),
    "encoder_vivit, TokenLearner": lambda: EncoderViViT(
        encoder=EncoderPlan(network="transformers", options=VJEPA2_OPTIONS),
        **{**BEHIND_SIZES, "frames": 4, "size": 16, "trained_blocks": 1, "token_learner": LEARNED, "classes": 5},
    ),
}
"""More ways to stand around an encoder, which are neither compiled nor exported."""
ALL = {**OWN, **AROUND, **LIBRARIES}
PLANS = {
    "vivit": (ViViT, {**SIZES, "pre_logits": 8}),
    "vivit_factorised": (FactorisedEncoderViViT, SIZES),
    **{name: (cls, {"frames": 2, "size": 32, **sizes, **SMALLER.get(name, {})}) for name, (cls, sizes) in TINY.items()},
    "casvit, two heads": (TINY["casvit"][0], {"frames": 2, "size": 32, **TINY["casvit"][1], "dist_head": True}),
    "encoder": (PictureEncoder, ENCODER),
    "own": (OwnEncoder, OWN_ENCODER),
    "transformers": (TransformersEncoder, VJEPA2),
    "encoder_vivit": (EncoderViViT, {**BEHIND, "pre_logits": 8}),
    **{f"encoder_probe, {kind}": (EncoderProbe, {**PROBED, "probe": kind}) for kind in TOKEN_PROBES},
    "vjepa2_probe": (VJEPA2Probe, SEGMENTED),
    **{name: (network_class(name.split()[0]), options) for name, options in baselines.SMALL.items()},
}
"""A class and its options, `classes` aside."""


def filled(name: str) -> Network:
    """The network in evaluation state with nothing at zero: last layers start there, and would hide what comes in."""
    torch.manual_seed(0)
    return deepcopy(_filled_once(name))


@cache
def _filled_once(name: str) -> Network:
    network = ALL[name]().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return network


def clip_of(network: Network, count: int = 2) -> torch.Tensor:
    frames, rows, columns = network.clip
    return torch.randn(count, frames, 3, rows, columns, generator=torch.Generator().manual_seed(1))
