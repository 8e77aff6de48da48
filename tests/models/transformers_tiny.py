"""Encoders of transformers at about their smallest, with random weights; pictures are no squares where that can be."""

import functools
import json
from pathlib import Path
from typing import Any

import torch
import transformers as library
from einops import rearrange

from vidtok.models.transformers_families import OPENED, Family

WIDTH = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 32}
DEEP = {**WIDTH, "num_hidden_layers": 2}
PICTURE = {"image_size": 16, "patch_size": 8, **DEEP}
WORDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
TEXT = {
    "vocab_size": 20,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
    **WORDS,
}
MIT = {f"mit_{key}": 8 for key in ("hidden_size", "intermediate_size")} | {
    "mit_num_hidden_layers": 1,
    "mit_num_attention_heads": 2,
}
XCLIP = {"projection_dim": 8, "prompt_layers": 1, "prompt_num_attention_heads": 2}
VJEPA2 = {
    "patch_size": 8,
    "crop_size": 32,
    "frames_per_clip": 4,
    "hidden_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "mlp_ratio": 2.0,
    "num_pooler_layers": 1,
    "pred_hidden_size": 24,
    "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 1,
    "pred_num_mask_tokens": 2,
}
VIDEOPRISM = {
    "image_size": [16, 24],
    "num_frames": 3,
    "tubelet_size": [1, 8, 8],
    "num_spatial_layers": 2,
    "num_temporal_layers": 1,
    "num_auxiliary_layers": 1,
    **WIDTH,
}
VIDEOMAE = {**PICTURE, "num_frames": 4, "tubelet_size": 2, "use_mean_pooling": True}
PE_PICTURES = {
    "architecture": "test_vit",
    "do_pooling": True,
    "global_pool": "avg",
    "model_args": {"img_size": 32},
    "num_classes": 12,
    "label_names": [f"n{k}" for k in range(12)],
}
PE = {**WIDTH, "hidden_size": 16, "head_dim": 8, "num_hidden_layers": 2, "vision_config": PE_PICTURES}
SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "V-JEPA 2": ("VJEPA2Model", VJEPA2),
    "V-JEPA 2, classifier": ("VJEPA2ForVideoClassification", VJEPA2),
    "VideoPrism": ("VideoPrismVisionModel", VIDEOPRISM),
    "VideoPrism, clip model": (
        "VideoPrismClipModel",
        {"vision_config": VIDEOPRISM, "text_config": {**TEXT, "hidden_size": 24}},
    ),
    "VideoMAE": ("VideoMAEForVideoClassification", VIDEOMAE),
    "VideoMAE, a norm of its own": ("VideoMAEModel", {**VIDEOMAE, "use_mean_pooling": False}),
    "ViViT": ("VivitModel", {**DEEP, "image_size": [16, 24], "num_frames": 4, "tubelet_size": [2, 8, 8]}),
    "TimeSformer": ("TimesformerForVideoClassification", {**PICTURE, "num_frames": 3}),
    "Hiera": (
        "HieraModel",
        {"embed_dim": 8, "image_size": [64, 64], "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    ),
    "PE-Video": ("PeVideoModel", {"video_config": PE, "text_config": {"model_type": "modernbert", **TEXT}}),
    "DINOv3": ("DINOv3ViTModel", {**DEEP, "patch_size": 8, "image_size": 16, "num_register_tokens": 2}),
    "SigLIP": ("SiglipModel", {"vision_config": PICTURE, "text_config": {**TEXT, "projection_size": 24}}),
    "CLIP": ("CLIPModel", {"vision_config": PICTURE, "text_config": TEXT, "projection_dim": 8}),
    "X-CLIP": ("XCLIPModel", {"vision_config": {**PICTURE, **MIT, "num_frames": 3}, "text_config": TEXT, **XCLIP}),
}
"""The class that is saved, and its configuration."""
CLIPS = {"V-JEPA 2": (6, 32, 32), "DINOv3": (2, 16, 24)}
"""Where the encoder leaves a choice, another clip than that of the configuration."""


@functools.cache
def whole(name: str) -> Any:
    """The library's model, all of whose tensors are drawn at random, so that none of them can stand for another."""
    saved, settings = SAVED[name]
    made = getattr(library, saved)
    torch.manual_seed(0)
    model = made(made.config_class(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


def saved_in(folder: Path, name: str, *, size: int | dict[str, int] = 16) -> Path:
    """The folder as the library writes it, with a preprocessor beside it."""
    whole(name).save_pretrained(folder)
    settings = {"size": size, "do_center_crop": False, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def part_of(name: str) -> tuple[Family, Any]:
    """The family, and the encoder in the library's model."""
    saved = SAVED[name][0]
    return OPENED[saved], whole(name).get_submodule(OPENED[saved].opened[saved])


def clip_size(name: str) -> tuple[int, int, int]:
    """Frames, rows and columns that the encoder takes."""
    family, part = part_of(name)
    told = family.geometry(part.config)
    if name in CLIPS:
        return CLIPS[name]
    return told.frames or 4, *(told.size or (32, 32))


def library_tokens(name: str, clip: torch.Tensor) -> torch.Tensor:
    """The library's own forward pass, through the norm where it stands behind what the library calls the last state."""
    family, part = part_of(name)
    pixels = rearrange(clip, "b f c y x -> (b f) c y x") if family.frames_as_batch else clip
    with torch.no_grad():
        last = part(**{family.takes: pixels}, **family.options)
        if family.words == "Hiera":
            return part(**{family.takes: pixels}, output_hidden_states=True).reshaped_hidden_states[-1]
        if family.words in ("CLIP", "X-CLIP"):
            return part.post_layernorm(last.last_hidden_state)
        if name == "VideoMAE":
            return whole(name).fc_norm(last.last_hidden_state)
    return last.last_hidden_state
