"""The table of families: what each configuration says of the clip and its grid, by numbers of the libraries' own."""

import inspect
from types import SimpleNamespace

import pytest
import torch
import transformers as library
from torch import nn

from tests.models.transformers_tiny import SAVED, clip_size, part_of
from vidtok.errors import ModelError
from vidtok.models.transformers_encoder import encoder_of
from vidtok.models.transformers_families import (
    BY_TYPE,
    FAMILIES,
    OPENED,
    Geometry,
    family_of,
    final_norm,
    rows_columns_of,
)

GRID = {"patch_size": 16, "image_size": 224, "num_frames": 8}
CASES = {
    "vjepa2": ({"tubelet_size": 2, "patch_size": 16}, Geometry(cell=(2, 16, 16), square=True)),
    "videoprism_vision_model": (
        {"tubelet_size": [1, 18, 12], "num_frames": 16, "image_size": [288, 192]},
        Geometry(cell=(1, 18, 12), frames=16, size=(288, 192)),
    ),
    "videomae": (
        {**GRID, "tubelet_size": 2, "image_size": [224, 112], "patch_size": [16, 8]},
        Geometry(cell=(2, 16, 8), frames=8, size=(224, 112)),
    ),
    "vivit": (
        {"tubelet_size": [2, 16, 8], "num_frames": 32, "image_size": 224},
        Geometry(cell=(2, 16, 8), frames=32, size=(224, 224), beside=1),
    ),
    "timesformer": (
        {**GRID, "attention_type": "divided_space_time"},
        Geometry(cell=(1, 16, 16), frames=8, size=(224, 224), beside=1),
    ),
    "hiera": (
        {"patch_stride": [4, 4], "query_stride": [2, 3], "num_query_pool": 3, "image_size": [224, 216]},
        Geometry(cell=(1, 32, 108), size=(224, 216)),
    ),
    "pe_video_encoder": (
        {"vision_config": SimpleNamespace(model_args={"img_size": 32}, architecture="test_vit")},
        Geometry(cell=(1, 32, 32), size=(32, 32), beside=1),
    ),
    "dinov3_vit": ({"patch_size": 16, "num_register_tokens": 4}, Geometry(cell=(1, 16, 16), beside=5)),
    "siglip_vision_model": (GRID, Geometry(cell=(1, 16, 16), size=(224, 224))),
    "clip_vision_model": (GRID, Geometry(cell=(1, 16, 16), size=(224, 224), beside=1)),
    "xclip_vision_model": (GRID, Geometry(cell=(1, 16, 16), frames=8, size=(224, 224), beside=1)),
}


def test_every_family_has_a_case():
    assert CASES.keys() == BY_TYPE.keys()


@pytest.mark.parametrize("kind", CASES)
def test_the_clip_and_its_grid(kind):
    settings, wanted = CASES[kind]
    assert BY_TYPE[kind].geometry(SimpleNamespace(model_type=kind, **settings)) == wanted


def test_a_pe_video_without_a_size_takes_its_network_s_own():
    inside = SimpleNamespace(model_args=None, architecture="test_vit")
    found = BY_TYPE["pe_video_encoder"].geometry(SimpleNamespace(vision_config=inside))
    assert found == Geometry(cell=(1, 160, 160), size=(160, 160), beside=1)
    inside.architecture = "nobody_knows"
    with pytest.raises(ModelError, match="PE-Video on 'nobody_knows': timm does not say which pictures it takes"):
        BY_TYPE["pe_video_encoder"].geometry(SimpleNamespace(vision_config=inside))


def test_a_timesformer_of_space_alone_is_refused():
    with pytest.raises(ModelError, match="space_only"):
        BY_TYPE["timesformer"].geometry(SimpleNamespace(**GRID, attention_type="space_only"))


def test_rows_and_columns():
    assert rows_columns_of(224) == (224, 224)
    assert rows_columns_of([1, 16, 8]) == (16, 8)


def test_classes_lead_to_one_family_and_say_where_its_encoder_stands():
    assert sum(len(family.opened) for family in FAMILIES) == len(OPENED)
    assert all(OPENED[family.body] is family and family.opened[family.body] == "" for family in FAMILIES)
    assert OPENED["VideoPrismClipModel"].opened["VideoPrismClipModel"] == "video_model.vision_model"


def test_what_is_told_of_each_other():
    """Frames that are a batch of pictures may still see each other; those apart never come as a clip."""
    assert [family.words for family in FAMILIES if family.frames_as_batch and not family.frames_apart] == ["X-CLIP"]
    assert [family.words for family in FAMILIES if family.frames_apart and not family.frames_as_batch] == []
    clips = [family.words for family in FAMILIES if family.takes == "pixel_values_videos"]
    assert clips == ["V-JEPA 2", "VideoPrism", "PE-Video"]


def test_a_configuration_leads_to_its_family():
    assert family_of({"model_type": "vivit"}).words == "ViViT"
    with pytest.raises(ModelError, match=r"config\.model_type='bert' is no encoder that is known here; known: vjepa2"):
        family_of({"model_type": "bert"})
    with pytest.raises(ModelError, match=r"config\.model_type=None"):
        family_of({})


def test_a_missing_norm_gets_a_place_and_another_stays():
    body = nn.Module()
    body.layernorm = None
    final_norm(body, SimpleNamespace(hidden_size=6))
    assert isinstance(body.layernorm, nn.LayerNorm)
    assert body.layernorm.normalized_shape == (6,)
    own = body.layernorm
    final_norm(body, SimpleNamespace(hidden_size=6))
    assert body.layernorm is own
    other = nn.Module()
    final_norm(other, SimpleNamespace(hidden_size=6))
    assert not hasattr(other, "layernorm")


def settings_for(saved):
    """Those of transformers_tiny for a class that is saved: of a sample of its family, or of the part within one."""
    wanted = getattr(library, saved).config_class
    for other, settings in SAVED.values():
        if OPENED[other] is OPENED[saved]:
            own = getattr(library, other).config_class(**settings)
            for config in (own, *(getattr(own, part, None) for part in ("vision_config", "video_config"))):
                if type(config) is wanted:
                    return config
    raise AssertionError(saved)


@pytest.mark.parametrize("saved", OPENED)
def test_names_are_those_of_the_library_s_parts(saved):
    family, config = OPENED[saved], settings_for(saved)
    if saved == "HieraForPreTraining":
        config.decoder_hidden_size, config.decoder_depth, config.decoder_num_heads = 8, 1, 1
    with torch.device("meta"):
        part = getattr(library, saved)(config).get_submodule(family.opened[saved])
    assert type(part).__name__ in (family.body, *(name for name, path in family.opened.items() if not path))
    for stage in family.stages:
        assert isinstance(part.get_submodule(stage.blocks), nn.ModuleList)
        for path in (*stage.norms, *stage.before):
            assert hasattr(part, path.partition(".")[0])
            if family.words != "VideoMAE":  # whose norm may be in the head
                assert isinstance(part.get_submodule(path), nn.Module)
    assert {*family.spared} <= dict(part.named_parameters()).keys()
    takes = inspect.signature(part.forward).parameters
    assert {family.takes, *family.options} <= takes.keys() or "kwargs" in takes


@pytest.mark.parametrize("name", [name for name in SAVED if "," not in name])
def test_what_features_do_not_pass_through_is_left_out(name):
    _, part = part_of(name)
    with torch.device("meta"):
        body, _ = encoder_of({**part.config.to_dict(), "model_type": part.config.model_type}, clip=clip_size(name))
    kept = {path.partition(".")[0] for path, _ in body.named_parameters()}
    assert not kept & {"pooler", "predictor", "head"}
    assert not any("mask_token" in path for path, _ in body.named_parameters())
    assert body.config.model_type in BY_TYPE
