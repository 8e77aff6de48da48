"""What differs between the video and picture encoders of transformers: one row for each family, checked in its 5.24.

transformers itself is imported nowhere here: the names are those of its classes and of their parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from torch import nn

from vidtok.errors import ModelError

Pair = tuple[int, int]
CLIP_LAYOUT = "b (t h w) d"
FRAME_LAYOUT = "(b t) (h w) d"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks in a row that share a layout of their tokens; names are paths in the encoder."""

    blocks: str
    norms: tuple[str, ...] = ()
    """What every depth of the stage goes through behind its block, in this order: the final norm."""
    before: tuple[str, ...] = ()
    """Parts between the stage before and the first block of this one."""
    layout: str
    """Of the tokens of the grid, as einops writes it; in another order of t, h and w it is the family's own."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The clips that an encoder was built for, and the grid that it makes of them."""

    cell: tuple[int, int, int]
    """Frames, rows and columns of pixels that one place of the grid stands for."""
    frames: int | None = None
    """Of a clip, where there is no choice."""
    size: Pair | None = None
    """Rows and columns of a clip, where there is no choice."""
    square: bool = False
    beside: int = 0
    """Class and register tokens, which stand before the grid's."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """An encoder of transformers: how it is found in what was saved, fed and read."""

    words: str
    body: str
    """The class of the encoder."""
    opened: Mapping[str, str]
    """Classes that are saved under this family's types of model, and where in them the encoder stands."""
    takes: str = "pixel_values"
    frames_as_batch: bool = False
    frames_apart: bool = False
    stages: tuple[Stage, ...]
    geometry: Callable[[Any], Geometry]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the configuration, without which the encoder would hold parts that are not used."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of every call."""
    unused: tuple[str, ...] = ()
    """Parts and parameters through which features do not pass; they are left out."""
    spared: tuple[str, ...] = ()
    """Positions, class tokens and their like: parameters that weight decay should spare."""


def rows_columns_of(value: Any) -> Pair:
    """Rows and columns, from one number for both or from two."""
    rows, columns = (value, value) if isinstance(value, int) else tuple(value)[-2:]
    return int(rows), int(columns)


def _vjepa2(config: Any) -> Geometry:
    return Geometry(cell=(config.tubelet_size, *rows_columns_of(config.patch_size)), square=True)


def _tubelets(config: Any) -> Geometry:
    """VideoPrism and ViViT, whose tubelet is three numbers."""
    frames, rows, columns = config.tubelet_size
    beside = 1 if config.model_type == "vivit" else 0
    return Geometry(
        cell=(frames, rows, columns), frames=config.num_frames, size=rows_columns_of(config.image_size), beside=beside
    )


def _videomae(config: Any) -> Geometry:
    cell = (config.tubelet_size, *rows_columns_of(config.patch_size))
    return Geometry(cell=cell, frames=config.num_frames, size=rows_columns_of(config.image_size))


def _timesformer(config: Any) -> Geometry:
    if config.attention_type == "space_only":
        raise ModelError("TimeSformer with attention_type='space_only' has no tokens in time; take another encoder")
    return Geometry(
        cell=(1, *rows_columns_of(config.patch_size)),
        frames=config.num_frames,
        size=rows_columns_of(config.image_size),
        beside=1,
    )


def _hiera(config: Any) -> Geometry:
    (rows, columns), (down, right) = rows_columns_of(config.patch_stride), rows_columns_of(config.query_stride)
    pools = config.num_query_pool
    return Geometry(cell=(1, rows * down**pools, columns * right**pools), size=rows_columns_of(config.image_size))


def _pe_video(config: Any) -> Geometry:
    """Each frame is one token, whatever its size, which is the one that timm's network inside was made for."""
    inside = config.vision_config
    told = (inside.model_args or {}).get("img_size")
    if told is None:
        import timm

        plan = timm.get_pretrained_cfg(inside.architecture) if timm.is_model(inside.architecture) else None
        if plan is None:
            raise ModelError(f"PE-Video on {inside.architecture!r}: timm does not say which pictures it takes")
        told = plan.input_size[-2:]
    size = rows_columns_of(told)
    return Geometry(cell=(1, *size), size=size, beside=1)


def _dinov3(config: Any) -> Geometry:
    return Geometry(cell=(1, *rows_columns_of(config.patch_size)), beside=1 + config.num_register_tokens)


def _siglip(config: Any) -> Geometry:
    return Geometry(cell=(1, *rows_columns_of(config.patch_size)), size=rows_columns_of(config.image_size))


def _clip(config: Any) -> Geometry:
    return Geometry(cell=(1, *rows_columns_of(config.patch_size)), size=rows_columns_of(config.image_size), beside=1)


def _xclip(config: Any) -> Geometry:
    return Geometry(
        cell=(1, *rows_columns_of(config.patch_size)),
        frames=config.num_frames,
        size=rows_columns_of(config.image_size),
        beside=1,
    )


FAMILIES = (
    Family(
        words="V-JEPA 2",
        body="VJEPA2Model",
        opened={"VJEPA2Model": "", "VJEPA2ForVideoClassification": "vjepa2"},
        takes="pixel_values_videos",
        stages=(Stage(blocks="encoder.layer", norms=("encoder.layernorm",), layout=CLIP_LAYOUT),),
        geometry=_vjepa2,
        options={"skip_predictor": True},  # left out, the predictor runs too
        unused=("predictor",),
    ),
    Family(
        words="VideoPrism",
        body="VideoPrismVisionModel",
        # As its vision part alone, a whole clip model opens with 72 missing keys and no error.
        opened={
            "VideoPrismVisionModel": "",
            "VideoPrismVideoModel": "vision_model",
            "VideoPrismForVideoClassification": "vision_model",
            "VideoPrismClipModel": "video_model.vision_model",
        },
        takes="pixel_values_videos",
        stages=(
            Stage(blocks="spatial_layers", norms=("layernorm1",), layout=FRAME_LAYOUT),
            Stage(
                blocks="temporal_layers",
                norms=("layernorm2",),
                before=("temporal_embeddings",),
                layout="(b h w) t d",
            ),
        ),
        geometry=_tubelets,
        spared=("spatial_embeddings.position_embeddings", "temporal_embeddings.position_embeddings"),
    ),
    Family(
        words="VideoMAE",
        body="VideoMAEModel",
        opened={
            "VideoMAEModel": "",
            "VideoMAEForVideoClassification": "videomae",
            "VideoMAEForPreTraining": "videomae",
        },
        # With mean pooling the library has no norm in the encoder: the head's stands in its place, see `final_norm`.
        stages=(Stage(blocks="encoder.layer", norms=("layernorm",), layout=CLIP_LAYOUT),),
        geometry=_videomae,
    ),
    Family(
        words="ViViT",
        body="VivitModel",
        opened={"VivitModel": "", "VivitForVideoClassification": "vivit"},
        stages=(Stage(blocks="layers", norms=("layernorm",), layout=CLIP_LAYOUT),),
        geometry=_tubelets,
        unused=("pooler",),
        spared=("embeddings.cls_token", "embeddings.position_embeddings"),
    ),
    Family(
        words="TimeSformer",
        body="TimesformerModel",
        opened={"TimesformerModel": "", "TimesformerForVideoClassification": "timesformer"},
        stages=(Stage(blocks="encoder.layer", norms=("layernorm",), layout="b (h w t) d"),),
        geometry=_timesformer,
        spared=("embeddings.cls_token", "embeddings.position_embeddings", "embeddings.time_embeddings"),
    ),
    Family(
        words="Hiera",
        body="HieraModel",
        opened={"HieraModel": "", "HieraForImageClassification": "hiera", "HieraForPreTraining": "hiera"},
        frames_as_batch=True,
        frames_apart=True,
        # Its norm stands behind the pooling, and its tokens stand in the order of its windows.
        stages=(Stage(blocks="encoder.stages", layout="windows"),),
        geometry=_hiera,
        unused=("pooler",),
        spared=("embeddings.position_embeddings",),
    ),
    Family(
        words="PE-Video",
        body="PeVideoEncoder",
        opened={"PeVideoEncoder": "", "PeVideoModel": "video_encoder"},
        takes="pixel_values_videos",
        stages=(Stage(blocks="layers", norms=("norm", "output"), layout=CLIP_LAYOUT),),
        geometry=_pe_video,
        spared=("patch_embedder.class_embedding",),
    ),
    Family(
        words="DINOv3",
        body="DINOv3ViTModel",
        opened={"DINOv3ViTModel": ""},
        frames_as_batch=True,
        frames_apart=True,
        stages=(Stage(blocks="model.layer", norms=("norm",), layout=FRAME_LAYOUT),),
        geometry=_dinov3,
        unused=("embeddings.mask_token",),
        spared=("embeddings.cls_token", "embeddings.register_tokens"),
    ),
    Family(
        words="SigLIP",
        body="SiglipVisionModel",
        opened={
            "SiglipVisionModel": "",
            "SiglipModel": "vision_model",
            "SiglipForImageClassification": "vision_model",
        },
        frames_as_batch=True,
        frames_apart=True,
        stages=(Stage(blocks="encoder.layers", norms=("post_layernorm",), layout=FRAME_LAYOUT),),
        geometry=_siglip,
        settings={"vision_use_head": False},
        spared=("embeddings.position_embedding.weight",),
    ),
    Family(
        words="CLIP",
        body="CLIPVisionModel",
        opened={
            "CLIPVisionModel": "",
            "CLIPVisionModelWithProjection": "vision_model",
            "CLIPModel": "vision_model",
            "CLIPForImageClassification": "vision_model",
        },
        frames_as_batch=True,
        frames_apart=True,
        # The library's last_hidden_state stands before this norm.
        stages=(Stage(blocks="encoder.layers", norms=("post_layernorm",), layout=FRAME_LAYOUT),),
        geometry=_clip,
        spared=("embeddings.class_embedding", "embeddings.position_embedding.weight"),
    ),
    Family(
        words="X-CLIP",
        body="XCLIPVisionModel",
        opened={"XCLIPVisionModel": "", "XCLIPModel": "vision_model"},
        frames_as_batch=True,
        stages=(Stage(blocks="encoder.layers", norms=("post_layernorm",), layout=FRAME_LAYOUT),),
        geometry=_xclip,
        spared=("embeddings.class_embedding", "embeddings.position_embedding.weight"),
    ),
)
BY_TYPE: Mapping[str, Family] = MappingProxyType(
    dict(
        zip(
            (
                "vjepa2",
                "videoprism_vision_model",
                "videomae",
                "vivit",
                "timesformer",
                "hiera",
                "pe_video_encoder",
                "dinov3_vit",
                "siglip_vision_model",
                "clip_vision_model",
                "xclip_vision_model",
            ),
            FAMILIES,
            strict=True,
        )
    )
)
"""The families by the `model_type` of their encoders' configurations."""
OPENED: Mapping[str, Family] = MappingProxyType({name: family for family in FAMILIES for name in family.opened})
"""The families by the classes that are saved."""


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of an encoder's configuration; ModelError with the known ones where there is none."""
    kind = config.get("model_type")
    if kind in BY_TYPE:
        return BY_TYPE[str(kind)]
    raise ModelError(f"config.model_type={kind!r} is no encoder that is known here; known: {', '.join(BY_TYPE)}")


def final_norm(body: Any, config: Any) -> None:
    """Give a VideoMAE whose norm is in the head, behind the pooling, a place for it in the encoder."""
    if getattr(body, "layernorm", body) is None:
        body.layernorm = nn.LayerNorm(config.hidden_size)
