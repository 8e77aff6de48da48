"""Published models by name: a network, its options, and the clips and the normalisation that it was made for."""

import difflib
import fnmatch
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from vidtok.errors import ModelError
from vidtok.models import NETWORKS, network_class
from vidtok.models.baselines import BASELINES
from vidtok.models.casvit import CASVIT_SIZES as CASVIT
from vidtok.models.colours import HALF, IMAGENET, Colours
from vidtok.models.maxvit import MAXVIT_SIZES as MAXVIT
from vidtok.models.options import plain
from vidtok.models.stvit import STVIT_SIZES as STVIT
from vidtok.models.vivit_sizes import FACTORISED, VIVIT
from vidtok.models.vivit_sizes import VIT_SIZES as VIT


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model with the sizes that it was published with; each of them can be changed where it is built."""

    network: str
    """Name of the network, the options' owner."""
    options: Mapping[str, Any] = field(default_factory=dict)
    frames: int
    """Frames of a clip; 1: a network for images."""
    size: int
    """Rows and columns of a clip."""
    mean: Colours = HALF
    std: Colours = HALF
    classes: int | None
    """Classes of its data set: Kinetics-400 or ImageNet-1k."""


def _video(network: str, options: Mapping[str, Any]) -> Preset:
    rest = {key: value for key, value in options.items() if key != "size"}
    return Preset(network=network, options=rest, frames=32, size=options.get("size", 224), classes=400)


def _image(network: str, options: Mapping[str, Any]) -> Preset:
    return Preset(network=network, options=options, frames=1, size=224, mean=IMAGENET[0], std=IMAGENET[1], classes=1000)


def _videomae(size: str) -> Preset:
    options = {
        **VIT[size],
        "position": "sincos_flat",
        "norm_position": "after_pool",
        "gelu": "erf",
        "mixer": {"name": "mhsa", "qkv_bias": "qv"},
    }
    return Preset(network="vivit", options=options, frames=16, size=224, mean=IMAGENET[0], std=IMAGENET[1], classes=400)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        **{name: _video("vivit", options) for name, options in VIVIT.items()},
        **{name: _video("vivit_factorised", options) for name, options in FACTORISED.items()},
        **{f"videomae_{size}16x2": _videomae(size) for size in ("s", "b", "l", "h")},
        **{name: _image("stvit", options) for name, options in STVIT.items()},
        **{name: _image("maxvit", options) for name, options in MAXVIT.items()},
        **{name: _image("casvit", options) for name, options in CASVIT.items()},
        **{name: Preset(**facts, classes=400) for name, facts in BASELINES.items()},
    }
)
"""All models by name. `videomae_*`: the ViViTs that take VideoMAE's weights without a change in their numbers.

Pixels come normalised as the authors' code has them: to -1 … 1 for ViViT, by ImageNet's mean and deviation for most
others. An image network becomes one for clips by `frames` and its options of time.
"""


def list_models(pattern: str = "*") -> list[str]:
    """The names that `create_model` knows and that fit a shell pattern such as `stvit*`, in alphabetical order."""
    return sorted(fnmatch.filter(PRESETS, pattern))


def find_preset(name: str) -> Preset:
    """The model behind a name; the name of a network alone stands for that network with its constructor's defaults.

    Raises ModelError with the nearest names where there is none.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name in NETWORKS:
        parameters = inspect.signature(network_class(name)).parameters
        return Preset(network=name, frames=parameters["frames"].default, size=parameters["size"].default, classes=None)
    near = difflib.get_close_matches(name, [*PRESETS, *NETWORKS], n=3)
    hint = f", did you mean {' or '.join(map(repr, near))}?" if near else "."
    raise ModelError(
        f"there is no model {name!r}{hint} Networks: {', '.join(sorted(NETWORKS))}; "
        "models of published sizes: vidtok.list_models()"
    )


def network_and_options(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """From `{"name": …, option: value …}` to the network and its plain options; a preset's stand under the given ones.

    An option that is given replaces the preset's as a whole: a new `mixer` keeps nothing of the old one.
    """
    preset = find_preset(str(model.get("name")))
    given = {key: value for key, value in model.items() if key != "name"}
    return preset.network, plain({**preset.options, **given})
