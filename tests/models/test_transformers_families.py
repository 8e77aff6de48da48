"""The table of families: what each configuration says of the clip and its grid, by numbers of the libraries' own."""

from types import SimpleNamespace

import pytest
from torch import nn

from vidtok.errors import ModelError
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
