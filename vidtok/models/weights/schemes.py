"""Whose names a file of weights has: each scheme's signs, and the importer that knows it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vidtok.choices import PositionKind
from vidtok.errors import CheckpointError
from vidtok.models.casvit import CASViT
from vidtok.models.colours import CENTRED, IMAGENET, Normalisation
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
from vidtok.nn.position import Grid

State = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a ViT's weights show of the tokens that they were made on."""

    tubelet: tuple[int, ...]
    """Frames, rows and columns that one token sees; of a picture's, rows and columns."""
    places: int | None
    """Learned positions, the class token's aside: of a whole clip, or of one time step; None where none are saved."""
    steps: int | None = None
    """Time steps, where they have positions of their own; `places` are then those of one step."""
    key: str
    """Where the positions stand; for messages."""

    @property
    def picture(self) -> bool:
        return len(self.tubelet) == 2

    def grid(self, clip: tuple[int, int, int]) -> Grid:
        """The grid that a clip of so many frames, rows and columns gave; what no tubelet fills was left out."""
        frames, rows, columns = clip
        height, width = self.tubelet[-2:]
        return 1 if self.picture else frames // self.tubelet[0], rows // height, columns // width

    def could_be(self, grid: Grid) -> bool:
        """Whether the positions are as many as this grid has places."""
        if self.steps is not None:
            return (self.steps, self.places) == (grid[0], grid[1] * grid[2])
        return self.places is None or self.places == math.prod(grid)


def _scenic_tokens(state: State) -> Tokens:
    tubelet = tuple(state["embedding/kernel"].shape[:-2])
    over_time = "TemporalTransformer/posembed_input/pos_embedding"
    own = any(key.startswith("SpatialTransformer/") for key in state)
    key = f"{'Spatial' if own else ''}Transformer/posembed_input/pos_embedding"
    token = "cls_SpatialTransformer" if own else "cls"
    places = state[key].shape[1] - (token in state) if key in state else None
    steps = state[over_time].shape[1] - ("cls_TemporalTransformer" in state) if over_time in state else None
    if own and steps is None:  # the mean over time steps, whose number nothing shows
        return Tokens(tubelet=tubelet[-2:], places=places, key=key)
    return Tokens(tubelet=tubelet, places=places, steps=steps, key=key)


def _timm_tokens(state: State) -> Tokens:
    places = state["pos_embed"].shape[1] - ("cls_token" in state) if "pos_embed" in state else None
    return Tokens(tubelet=tuple(state["patch_embed.proj.weight"].shape[2:]), places=places, key="pos_embed")


def _vivit_tokens(state: State) -> Tokens:
    key = "vivit.embeddings.position_embeddings"
    kernel = state["vivit.embeddings.patch_embeddings.projection.weight"]
    return Tokens(tubelet=tuple(kernel.shape[2:]), places=state[key].shape[1] - 1 if key in state else None, key=key)


def _videomae_tokens(state: State) -> Tokens:
    kernel = next(tensor for key, tensor in state.items() if re.fullmatch(f"{KERNEL}|{HUB_KERNEL}", key))
    saved = next((tensor for key, tensor in state.items() if re.fullmatch(r"(encoder\.)?pos_embed", key)), None)
    return Tokens(tubelet=tuple(kernel.shape[2:]), places=None if saved is None else saved.shape[1], key="pos_embed")


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
    load: Callable[..., Report]
    """The importer: (network, state), and for those with `tokens` the keyword `source_grid`."""
    tokens: Callable[[State], Tokens] | None = None
    """What the weights show of their tokens, where they have positions that belong to a grid."""
    knows_made: bool = False
    """Whether the importer takes `made`, what is known of the model that the weights were made in."""
    options: Callable[[State], dict[str, Any]] = _nothing
    """Options of the network that the keys tell."""
    position: PositionKind = "learned"
    """The kind of its positions."""
    usual: Normalisation | None = None
    """How the code that writes these names normalises pixels; None where that differs from model to model."""

    def fits(self, state: State) -> bool:
        if not all(any(re.match(sign, key) for key in state) for sign in self.signs):
            return False
        kernels = [state[key] for key in state if re.fullmatch(KERNEL, key)]
        return self.kernel_axes is None or any(kernel.dim() == self.kernel_axes for kernel in kernels)

    def classes(self, state: State) -> int | None:
        """How many classes these weights tell apart; None where they have no head."""
        return next((len(state[key]) for key in state if key.endswith(self.head)), None)


KERNEL = r"(encoder\.)?patch_embed\.proj\.weight"
HUB_KERNEL = r"videomae\.embeddings\.patch_embeddings\.projection\.weight"
VIT = (ViViT, FactorisedEncoderViViT)
SCHEMES = (
    Scheme(
        name="scenic ViViT or TokenLearner, or a ViT's .npz",
        signs=("embedding/kernel", "(Spatial)?Transformer/"),
        networks=VIT,
        head="output_projection/bias",
        load=load_scenic,
        tokens=_scenic_tokens,
        usual=CENTRED,
        options=_time_depth,
    ),
    Scheme(
        name="transformers ViViT",
        signs=(r"vivit\.embeddings\.",),
        networks=(ViViT,),
        head="classifier.bias",
        load=load_transformers_vivit,
        tokens=_vivit_tokens,
        usual=CENTRED,
        knows_made=True,
    ),
    Scheme(
        name="transformers VideoMAE",
        signs=(r"videomae\.embeddings\.",),
        networks=(ViViT,),
        head="classifier.bias",
        load=load_videomae,
        tokens=_videomae_tokens,
        position="sincos_flat",
        usual=IMAGENET,
        knows_made=True,
    ),
    Scheme(
        name="VideoMAE or UMT",
        signs=(KERNEL, r"(encoder\.)?blocks\.0\.attn\.qkv\."),
        kernel_axes=5,
        networks=(ViViT,),
        head="head.bias",
        load=load_videomae,
        tokens=_videomae_tokens,
        position="sincos_flat",
        usual=IMAGENET,
        knows_made=True,
    ),
    Scheme(
        name="timm ViT",
        signs=(KERNEL, r"blocks\.0\.attn\.qkv\."),
        kernel_axes=4,
        networks=VIT,
        head="head.bias",
        load=load_timm_vit,
        tokens=_timm_tokens,
        knows_made=True,
    ),
    Scheme(
        name="STViT's authors",
        usual=IMAGENET,
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
        usual=IMAGENET,
        signs=(r"patch_embed\.0\.", r"network\.0\.0\.local_perception\."),
        networks=(CASViT,),
        head="head.bias",
        load=load_casvit,
    ),
)


def find_scheme(state: State) -> Scheme | None:
    """The foreign scheme that these keys belong to, or None."""
    return next((scheme for scheme in SCHEMES if scheme.fits(state)), None)


def is_transformers(state: State) -> bool:
    """Whether transformers wrote these keys, and so a config.json beside them."""
    scheme = find_scheme(state)
    return scheme is not None and scheme.name.startswith("transformers")


def unknown_scheme(state: State) -> CheckpointError:
    """The error for keys that belong nowhere: what they are, and what was looked for."""
    looked = [f"{scheme.name}: {' and '.join(scheme.signs)}".replace("\\", "") for scheme in SCHEMES]
    some = ", ".join(sorted(state)[:4])
    return CheckpointError(
        f"these {len(state)} keys ({some} …) are neither the network's own nor of a known kind. Looked for:\n  "
        + "\n  ".join(looked)
    )
