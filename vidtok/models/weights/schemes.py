"""Whose names a file of weights has: each scheme's signs, and the importer that knows it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT
from vidtok.models.stvit import STViT
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.casvit import load_casvit
from vidtok.models.weights.maxvit_timm import load_maxvit_timm
from vidtok.models.weights.report import Report
from vidtok.models.weights.scenic import load_scenic, time_depth
from vidtok.models.weights.stvit import load_stvit
from vidtok.models.weights.timm_vit import load_timm_vit
from vidtok.models.weights.transformers_vivit import load_transformers_vivit
from vidtok.models.weights.videomae import load_videomae

State = Mapping[str, Tensor]


def _time_depth(state: State) -> dict[str, Any]:
    return {"time_depth": time_depth(state)} if any(key.startswith("SpatialTransformer/") for key in state) else {}


def _nothing(state: State) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way to name a network's weights."""

    name: str
    signs: tuple[str, ...]
    """Regular expressions; each fits the beginning of some key."""
    kernel_axes: int | None = None
    """Axes of `patch_embed.proj.weight` where they tell an image's network (4) from a clip's (5)."""
    networks: tuple[type[nn.Module], ...]
    """The networks that the importer fills."""
    head: str
    """End of the key that has one value for each class."""
    load: Callable[[Any, State], Report]
    options: Callable[[State], dict[str, Any]] = _nothing
    """Options of the network that the keys tell."""

    def fits(self, state: State) -> bool:
        if not all(any(re.match(sign, key) for key in state) for sign in self.signs):
            return False
        kernels = [state[key] for key in state if re.fullmatch(KERNEL, key)]
        return self.kernel_axes is None or any(kernel.dim() == self.kernel_axes for kernel in kernels)

    def classes(self, state: State) -> int | None:
        """How many classes these weights tell apart; None where they have no head."""
        return next((len(state[key]) for key in state if key.endswith(self.head)), None)


KERNEL = r"(encoder\.)?patch_embed\.proj\.weight"
VIT = (ViViT, FactorisedEncoderViViT)
SCHEMES = (
    Scheme(
        name="scenic ViViT or TokenLearner, or a ViT's .npz",
        signs=("embedding/kernel", "(Spatial)?Transformer/"),
        networks=VIT,
        head="output_projection/bias",
        load=load_scenic,
        options=_time_depth,
    ),
    Scheme(
        name="transformers ViViT",
        signs=(r"vivit\.embeddings\.",),
        networks=(ViViT,),
        head="classifier.bias",
        load=load_transformers_vivit,
    ),
    Scheme(
        name="transformers VideoMAE",
        signs=(r"videomae\.embeddings\.",),
        networks=(ViViT,),
        head="classifier.bias",
        load=load_videomae,
    ),
    Scheme(
        name="VideoMAE or UMT",
        signs=(KERNEL, r"(encoder\.)?blocks\.0\.attn\.qkv\."),
        kernel_axes=5,
        networks=(ViViT,),
        head="head.bias",
        load=load_videomae,
    ),
    Scheme(
        name="timm ViT",
        signs=(KERNEL, r"blocks\.0\.attn\.qkv\."),
        kernel_axes=4,
        networks=VIT,
        head="head.bias",
        load=load_timm_vit,
    ),
    Scheme(
        name="STViT's authors",
        signs=(r"patch_embed\.proj\.0\.", r"layers\.0\.blocks\.0\."),
        networks=(STViT,),
        head="head.bias",
        load=load_stvit,
    ),
    Scheme(
        name="timm MaxViT (tf)",
        signs=(r"stem\.conv1\.", r"stages\.0\.blocks\.0\.attn_block\."),
        networks=(MaxViT,),
        head="head.fc.bias",
        load=load_maxvit_timm,
    ),
    Scheme(
        name="CAS-ViT's authors",
        signs=(r"patch_embed\.0\.", r"network\.0\.0\.local_perception\."),
        networks=(CASViT,),
        head="head.bias",
        load=load_casvit,
    ),
)


def find_scheme(state: State) -> Scheme | None:
    """The foreign scheme that these keys belong to, or None."""
    return next((scheme for scheme in SCHEMES if scheme.fits(state)), None)


def unknown_scheme(state: State) -> CheckpointError:
    """The error for keys that belong nowhere: what they are, and what was looked for."""
    looked = [f"{scheme.name}: {' and '.join(scheme.signs)}".replace("\\", "") for scheme in SCHEMES]
    some = ", ".join(sorted(state)[:4])
    return CheckpointError(
        f"these {len(state)} keys ({some} …) are neither the network's own nor of a known kind. Looked for:\n  "
        + "\n  ".join(looked)
    )
