"""Encoders from folders that transformers saved: whole, by safetensors alone, with the pixels that their files say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard
from torch import Tensor

from vidtok.errors import CheckpointError, ModelError
from vidtok.models.colours import Colours
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.transformers_encoder import encoder_class, encoder_of, library_errors
from vidtok.models.transformers_families import OPENED, Family, rows_columns_of
from vidtok.models.weights.transformers_config import normalisation_of, read_settings

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
OTHER_FORMS: Mapping[str, str] = {
    "siglip2": "it takes patches instead of pictures; timm has this encoder for pictures, "
    "`encoder`=vit_base_patch16_siglip_gap_224.v2_webli and its like",
}
"""Types of models that cannot be taken as they are, and what can."""
NO_CHOICE = ("architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path")
"""Keys of a configuration that change no encoder."""
HEAD_NORM = "fc_norm."
"""Where a VideoMAE for classification keeps the norm behind its pooling."""


def open_folder(folder: Path, *, name: str, source: str) -> EncoderWeights:
    """The vision part of a model that transformers saved in `folder`, from its own configuration and preprocessing.

    The whole model is opened by the class that its configuration names: a clip model opened as its vision part would
    leave weights at random in silence. Raises CheckpointError for a folder of another kind, for pickles, for code, for
    keys that are missing or of another shape, and for pixels or sizes that no file tells.
    """
    config = read_config(folder)
    family, saved = check_kind(folder, config)
    check_weight_files(folder)
    size, (mean, std) = read_pixels(folder)
    try:
        made = encoder_class(saved)
        model, told = made.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except library_errors() as error:
        raise CheckpointError(f"{folder}: transformers cannot open this {saved}: {error}") from error
    path = family.opened[saved]
    check_loading(told, path, where=f"{folder}: {saved}")
    part = model.get_submodule(path)
    plan = {key: value for key, value in part.config.to_dict().items() if key not in NO_CHOICE}
    plan = json.loads(json.dumps(plan))
    plan["model_type"] = part.config.model_type
    state = dict(part.state_dict())
    if family.body == "VideoMAEModel" and part.layernorm is None:
        state |= head_norm(model.state_dict(), where=f"{folder}: {saved}")
    try:
        geometry = family.geometry(part.config)
        frames = geometry.frames or geometry.cell[0]
        with torch.device("meta"):
            body, _ = encoder_of(plan, clip=(frames, *rows_columns_of(size)))
    except ModelError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return EncoderWeights(
        name=name,
        network="transformers",
        options={"config": plan},
        state={key: state[key] for key in body.state_dict()},
        mean=mean,
        std=std,
        source=f"{source} ({family.words}, licence: {licence_of(folder)})",
        size=size,
        frames=geometry.frames,
        step=geometry.cell[0] if geometry.frames is None else 1,
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json; CheckpointError where there is none."""
    file = folder / CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read; transformers writes one beside its weights: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: not a configuration, but a {type(config).__name__}")
    return config


def check_kind(folder: Path, config: Mapping[str, Any]) -> tuple[Family, str]:
    """The family, and the class by which the folder is opened; CheckpointError for another kind, and for code."""
    kind, saved = config.get("model_type"), config.get("architectures")
    if "auto_map" in config:
        raise CheckpointError(
            f"{folder / CONFIG}: auto_map names code that this model brings along; code of models is not run here"
        )
    if isinstance(kind, str) and kind in OTHER_FORMS:
        raise CheckpointError(f"{folder / CONFIG}: model_type={kind!r}: {OTHER_FORMS[kind]}")
    if not isinstance(saved, list) or len(saved) != 1 or saved[0] not in OPENED:
        raise CheckpointError(
            f"{folder / CONFIG}: architectures={saved!r} (model_type={kind!r}) is no encoder that is known here; "
            f"known: {', '.join(OPENED)}"
        )
    return OPENED[saved[0]], saved[0]


def check_weight_files(folder: Path) -> None:
    """CheckpointError unless the weights are safetensors, and the model's own."""
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(f"{folder}: holds an adapter of other weights; merge the two and save them as one model")
    if not any((folder / name).is_file() for name in WEIGHTS):
        found = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
        hint = (
            f"; {', '.join(found)} is a pickle, which can run code: save the model again as safetensors"
            if found
            else ""
        )
        raise CheckpointError(f"{folder}: there is no {WEIGHTS[0]}{hint}")


def check_loading(told: Mapping[str, Any], path: str, *, where: str) -> None:
    """CheckpointError for keys without weights, of another shape, and for weights of the encoder without a place."""
    missing, other = sorted(map(str, told["missing_keys"])), sorted(map(str, told["mismatched_keys"]))
    begin = f"{path}." if path else ""
    left = sorted(
        key
        for key in told["unexpected_keys"]
        if key.startswith(begin) and not key.endswith(("position_ids", "inv_freq"))
    )
    for keys, words in ((missing, "have no weights"), (other, "have another shape"), (left, "have no place in it")):
        if keys:
            raise CheckpointError(f"{where}: {len(keys)} keys {words}, such as {keys[0]}")


def head_norm(state: Mapping[str, Tensor], *, where: str) -> dict[str, Tensor]:
    """The norm in the head of a VideoMAE with mean pooling, under the encoder's name for it."""
    found = {key.replace(HEAD_NORM, "layernorm."): value for key, value in state.items() if key.startswith(HEAD_NORM)}
    if not found:
        raise CheckpointError(
            f"{where}: use_mean_pooling=true puts the final norm into the head of VideoMAEForVideoClassification, and "
            "these weights have none; take the folder of the whole classifier"
        )
    return found


def read_pixels(folder: Path) -> tuple[int | tuple[int, int], tuple[Colours, Colours]]:
    """Size, and mean and deviation for pixels in 0..1, as the files of the preprocessor say; there is no default.

    Raises CheckpointError where no file says it, or two do that contradict each other.
    """
    found = {}
    for file, settings in read_settings(folder).items():
        try:
            found[file] = (size_of(settings), normalisation_of(settings))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{file}: does not say how pixels become what the encoder takes: {error!r}"
            ) from error
    if not found:
        raise CheckpointError(
            f"{folder}: there is no preprocessor_config.json, which says the size, mean and std of the pixels that "
            "these weights want; save the model's processor beside it"
        )
    if len(set(found.values())) > 1:
        raise CheckpointError(f"{folder}: {' and '.join(file.name for file in found)} want different pixels; leave one")
    return next(iter(found.values()))


def size_of(settings: Mapping[str, Any]) -> int | tuple[int, int]:
    """Rows and columns behind the preprocessor's crop, or behind its resizing where it does not crop."""
    crop = settings.get("crop_size") if settings.get("do_center_crop") is not False else None
    told = settings["size"] if crop is None else crop
    if isinstance(told, int):
        return told
    if "shortest_edge" in told:
        return int(told["shortest_edge"])
    rows, columns = int(told["height"]), int(told["width"])
    return rows if rows == columns else (rows, columns)


def licence_of(folder: Path) -> str:
    """As the card beside the weights says."""
    card = folder / "README.md"
    if not card.is_file():
        return "not stated"
    try:
        return str(ModelCard.load(card).data.get("license") or "not stated")
    except (ValueError, OSError):
        return "not stated"


def is_transformers_folder(folder: Path) -> bool:
    """Whether config.json is one of transformers."""
    try:
        return "model_type" in json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
