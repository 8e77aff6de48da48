"""What transformers writes beside its weights: config.json of the model, and the settings of its preprocessor."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidtok.errors import CheckpointError
from vidtok.models.colours import Normalisation, colours
from vidtok.models.weights.origin import Origin

CONFIG = "config.json"
PREPROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")
PROCESSOR = "processor_config.json"
"""Of a model with a text part: it holds the settings of the preprocessor for pictures or videos."""
ACTIVATIONS = {
    **dict.fromkeys(("gelu_fast", "gelu_new", "gelu_pytorch_tanh"), "tanh"),
    **dict.fromkeys(("gelu", "gelu_python"), "erf"),
    "quick_gelu": "quick",
    "relu": "relu",
    **dict.fromkeys(("silu", "swish"), "silu"),
}
"""transformers' names of activations, and ours."""


def read_transformers_config(folder: Path) -> Origin | None:
    """What config.json of a ViViT or VideoMAE says; None where there is none, or one of another kind.

    Raises CheckpointError for values that have no form here.
    """
    file = folder / CONFIG
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file}: not valid JSON: {error}") from error
    if not isinstance(config, dict) or config.get("model_type") not in ("vivit", "videomae"):
        return None
    try:
        videomae = config["model_type"] == "videomae"
        options = _common(config, file) | (_videomae(config, file) if videomae else _vivit(config))
        size = config["image_size"]
        return Origin(
            source=str(file),
            network="vivit",
            options=options,
            frames=int(config["num_frames"]),
            size=size if isinstance(size, int) else (int(size[0]), int(size[1])),
            normalisation=_normalisation(folder),
            classes=_classes(config),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{file}: not a whole config of transformers' {config['model_type']}: {error!r}"
        ) from error


def _common(config: Mapping[str, Any], file: Path) -> dict[str, Any]:
    if config["hidden_act"] not in ACTIVATIONS:
        raise CheckpointError(
            f"{file}: hidden_act={config['hidden_act']!r} has no form here; known: {', '.join(ACTIVATIONS)}"
        )
    if config.get("num_channels", 3) != 3:
        raise CheckpointError(f"{file}: num_channels={config['num_channels']}; pictures here have 3 colours")
    return {
        "width": int(config["hidden_size"]),
        "depth": int(config["num_hidden_layers"]),
        "heads": int(config["num_attention_heads"]),
        "mlp_ratio": config["intermediate_size"] / config["hidden_size"],
        "gelu": ACTIVATIONS[config["hidden_act"]],
        "norm_eps": float(config["layer_norm_eps"]),
    }


def _vivit(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tubelet": [int(extent) for extent in config["tubelet_size"]],
        "position": "learned",
        "pool": "cls",
        "norm_position": "before_pool",
        "last_norm_eps": float(config["layer_norm_eps"]),
        "mixer": {"name": "mhsa", "qkv_bias": "full" if config.get("qkv_bias", True) else "none"},
    }


def _videomae(config: Mapping[str, Any], file: Path) -> dict[str, Any]:
    classifier = any("Classification" in name for name in config.get("architectures") or ())
    if classifier and not config.get("use_mean_pooling", True):
        raise CheckpointError(f"{file}: use_mean_pooling=false: logits from the first token alone have no form here")
    patch = config["patch_size"]
    rows, columns = (patch, patch) if isinstance(patch, int) else patch
    biased = config.get("qv_bias", config.get("qkv_bias", True))
    return {
        "tubelet": [int(config["tubelet_size"]), int(rows), int(columns)],
        "position": "sincos_flat",
        "pool": "mean",
        "norm_position": "after_pool",
        "last_norm_eps": 1e-5,  # torch's own, which transformers leaves for this norm
        "mixer": {"name": "mhsa", "qkv_bias": "qv" if biased else "none"},
    }


def _classes(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of id2label, in order; None where they are transformers' placeholders LABEL_0, LABEL_1, …"""
    labels = config.get("id2label")
    if not labels:
        return None
    names = {int(number): str(name) for number, name in labels.items()}
    if sorted(names) != list(range(len(names))):
        raise ValueError(f"id2label numbers {len(names)} classes {sorted(names)[:8]}, not 0 to {len(names) - 1}")
    if all(name == f"LABEL_{number}" for number, name in names.items()):
        return None
    return tuple(names[number] for number in range(len(names)))


def read_settings(folder: Path) -> dict[Path, dict[str, Any]]:
    """The settings of each preprocessor that is saved in the folder, by its file."""
    found = {}
    for name in (*PREPROCESSORS, PROCESSOR):
        file = folder / name
        if not file.is_file():
            continue
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{file}: not valid JSON: {error}") from error
        inner = next((settings[key] for key in ("video_processor", "image_processor") if key in settings), None)
        if name != PROCESSOR or inner is not None:
            found[file] = settings if inner is None else inner
    return found


def normalisation_of(settings: Mapping[str, Any]) -> Normalisation:
    """Mean and deviation for pixels in 0..1 of what a preprocessor does: (pixel · factor - offset - mean) / std.

    ViViT's takes 1 off after a factor of 1/127.5, before it normalises. KeyError where it normalises by no numbers.
    """
    factor = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255.0
    offset = 1.0 if settings.get("offset", False) and settings.get("do_rescale", True) else 0.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if settings.get("do_normalize", True):
        mean, std = settings["image_mean"], settings["image_std"]
    return colours([(offset + m) / factor for m in mean]), colours([s / factor for s in std])


def _normalisation(folder: Path) -> Normalisation | None:
    """As the first preprocessor that is saved there has it."""
    return next((normalisation_of(settings) for settings in read_settings(folder).values()), None)
