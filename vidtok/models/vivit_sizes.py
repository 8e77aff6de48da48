"""The published sizes and models of ViViT and TokenLearner by name, as arguments of their classes."""

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

from vidtok.nn.token_learner import TokenLearnerOptions

Options = Mapping[str, Any]

VIT_SIZES: Mapping[str, Options] = MappingProxyType(
    {
        name: MappingProxyType({"width": width, "depth": depth, "heads": heads})
        for name, width, depth, heads in (
            ("ti", 192, 12, 3),
            ("s", 384, 12, 6),
            ("b", 768, 12, 12),
            ("l", 1024, 24, 16),
            ("h", 1280, 32, 16),
        )
    }
)
"""Dosovitskiy et al., arXiv 2010.11929, table 1; the two small ones are those of Touvron et al., arXiv 2012.12877."""

TIME, SPACE = MappingProxyType({"name": "mhsa", "axes": "time"}), MappingProxyType({"name": "mhsa", "axes": "space"})
ATTENTION_FORMS: Mapping[str, Options] = MappingProxyType(
    {
        "": MappingProxyType({"pool": "cls"}),
        "_fsa": MappingProxyType({"pool": "mean", "mixer": ((SPACE, TIME),)}),
        "_fdp": MappingProxyType({"pool": "mean", "mixer": MappingProxyType({"name": "mhsa", "axes": "split"})}),
    }
)
"""Models 1, 3 and 4 of Arnab et al., arXiv 2103.15691: joint, factorised self-attention, factorised dot-product."""


def _token_learner(size: str, patch: int, tokens: int, after_block: int, depth: int) -> Options:
    # Patches of 10 do not fill 224 pixels; 220 is the nearest size that they do, and gives the published cost.
    side = 224 // patch * patch
    learner = TokenLearnerOptions(after_block=after_block, tokens=tokens)
    sizes = {**VIT_SIZES[size], "depth": depth, "tubelet": (2, patch, patch), "size": side}
    return MappingProxyType({**sizes, "pool": "mean", "token_learner": learner})


VIVIT: Mapping[str, Options] = MappingProxyType(
    {
        **{
            f"vivit_{size}16x2{form}": MappingProxyType({**VIT_SIZES[size], **ATTENTION_FORMS[form]})
            for size, form in product(VIT_SIZES, ATTENTION_FORMS)
            # Model 4 gives half of the heads to time; the smallest size has three.
            if form != "_fdp" or VIT_SIZES[size]["heads"] % 2 == 0
        },
        "vivit_b16x2_tl8at6": _token_learner("b", 16, 8, 6, 12),
        "vivit_b16x2_tl16at6": _token_learner("b", 16, 16, 6, 12),
        "vivit_l16x2_tl16at12": _token_learner("l", 16, 16, 12, 24),
        "vivit_l16x2_tl8at18": _token_learner("l", 16, 8, 18, 30),
        "vivit_l16x2_tl16at18": _token_learner("l", 16, 16, 18, 30),
        "vivit_l14x2_tl16at18": _token_learner("l", 14, 16, 18, 35),
        "vivit_l10x2_tl16at18": _token_learner("l", 10, 16, 18, 35),
    }
)
"""Networks of class ViViT. `tl16at12`: 16 learned tokens for each time step after block 12.

The tables of Ryoo et al., arXiv 2106.11297, give parameters and cost, not depths; they imply 30 blocks in all for L/16
with TokenLearner after block 18, and 35 for L/14 and L/10. The two B models are vidtok's own.
"""

FACTORISED: Mapping[str, Options] = MappingProxyType(
    {f"vivit_{size}16x2_fe": MappingProxyType({**VIT_SIZES[size], "pool": "cls"}) for size in VIT_SIZES}
)
"""Networks of class FactorisedEncoderViViT, Model 2, with the paper's time encoder of 4 blocks."""
