"""Whose weights a set of keys is."""

import pytest
import timm
import torch
from transformers import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    VivitConfig,
    VivitForVideoClassification,
)

from tests.golden.case import Case
from vidtok.models.colours import CENTRED, IMAGENET
from vidtok.models.weights.schemes import SCHEMES, find_scheme, is_transformers, unknown_scheme

FROM_CASES = {
    "vivit_m1_tiny": "scenic",
    "vivit_m2_tiny": "scenic",
    "vivit_m2_tiny_spatial_only": "scenic",
    "tokenlearner_vit_video": "scenic",
    "stvit_s_224": "STViT",
    "maxvit_tiny_tf_224": "timm MaxViT",
    "casvit_xs_224_dist": "CAS-ViT",
    "hf_vivit_tiny": "transformers ViViT",
}


@pytest.mark.parametrize("name", FROM_CASES)
def test_the_official_keys_are_known(name, golden_folder):
    case = Case.read(golden_folder / f"{name}.json")
    state = {key: torch.zeros(()).expand(shape) for key, shape in case.meta["checkpoint_keys"].items()}
    scheme = find_scheme(state)
    assert scheme is not None
    assert scheme.name.startswith(FROM_CASES[name])
    hyper = case.meta["hyper_parameters"]
    assert scheme.classes(state) == hyper.get("num_classes", hyper.get("num_labels"))
    depths = {
        "vivit_m2_tiny": {"time_depth": hyper.get("temporal_num_layers")},
        "vivit_m2_tiny_spatial_only": {"time_depth": 0},
    }
    assert scheme.options(state) == depths.get(name, {})


def tiny(config, model):
    sizes = {"image_size": 32, "num_frames": 2, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    return model(config(**sizes, intermediate_size=24, num_labels=5)).state_dict()


def test_libraries_keys_are_known():
    found = {
        "transformers ViViT": tiny(VivitConfig, VivitForVideoClassification),
        "transformers VideoMAE": tiny(VideoMAEConfig, VideoMAEForVideoClassification),
        "timm ViT": timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=5).state_dict(),
    }
    for name, state in found.items():
        scheme = find_scheme(state)
        assert scheme is not None
        assert (scheme.name, scheme.classes(state)) == (name, 5)
    pretraining = find_scheme(tiny(VideoMAEConfig, VideoMAEForPreTraining))
    assert pretraining is not None
    assert pretraining.name == "transformers VideoMAE"


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_videomae_is_told_from_an_image_vit_by_its_kernel(prefix):
    state = {
        f"{prefix}blocks.0.attn.qkv.weight": torch.zeros(6, 2),
        f"{prefix}patch_embed.proj.weight": torch.zeros(2, 3, 2, 8, 8),
    }
    scheme = find_scheme(state)
    assert scheme is not None
    assert scheme.name == "VideoMAE or UMT"
    assert scheme.classes(state) is None


def test_what_was_looked_for_is_told():
    assert find_scheme({"conv1.weight": torch.zeros(1)}) is None
    text = str(unknown_scheme({"conv1.weight": torch.zeros(1)}))
    assert text.startswith("these 1 keys (conv1.weight …)")
    assert "(a, b, c, d …)" in str(unknown_scheme({name: torch.zeros(1) for name in "fedcba"}))
    assert "\\" not in text  # nobody but a program reads regular expressions
    assert "transformers ViViT: vivit.embeddings.\n" in text
    assert "patch_embed.proj.0. and layers.0.blocks.0." in text
    assert "timm MaxViT (tf): stem.conv1." in text
    assert "scenic" in text


def tokens_of(name, folder):
    case = Case.read(folder / f"{name}.json")
    state = {key: torch.zeros(()).expand(shape) for key, shape in case.meta["checkpoint_keys"].items()}
    return find_scheme(state).tokens(state)


def test_what_tokens_the_weights_were_made_on(golden_folder):
    clip = tokens_of("vivit_m1_tiny", golden_folder)
    assert not clip.picture
    step, height, width = clip.tubelet
    assert clip.grid((4 * step + step - 1, 2 * height, 3 * width + 1)) == (4, 2, 3)
    assert clip.could_be((1, 1, clip.places))
    assert not clip.could_be((1, 1, clip.places + 1))
    steps = tokens_of("vivit_m2_tiny", golden_folder)
    assert steps.key.startswith("SpatialTransformer/")
    assert steps.could_be((steps.steps, 1, steps.places))
    assert not steps.could_be((steps.steps + 1, 1, steps.places))
    assert not steps.could_be((steps.steps, 1, steps.places + 1))
    picture = tokens_of("vivit_m2_tiny_spatial_only", golden_folder)
    assert picture.picture
    assert picture.grid((8, 2 * picture.tubelet[0], 3 * picture.tubelet[1])) == (1, 2, 3)
    vit = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=5).state_dict()
    found = find_scheme(vit).tokens(vit)
    assert (found.tubelet, found.places, found.key) == ((16, 16), 196, "pos_embed")
    state = tiny(VivitConfig, VivitForVideoClassification)
    found = find_scheme(state).tokens(state)
    assert (found.tubelet, found.places) == ((2, 16, 16), 4)
    state = tiny(VideoMAEConfig, VideoMAEForVideoClassification)
    found = find_scheme(state).tokens(state)
    assert (found.tubelet, found.places) == ((2, 16, 16), None)
    assert found.could_be((7, 7, 7)), "nothing is known of positions that are not saved"


def test_who_wrote_the_names_normalises_like_this():
    facts = {scheme.name: (scheme.usual, scheme.position, scheme.knows_made) for scheme in SCHEMES}
    assert facts["scenic ViViT or TokenLearner, or a ViT's .npz"] == (CENTRED, "learned", False)
    assert facts["transformers ViViT"] == (CENTRED, "learned", True)
    assert facts["transformers VideoMAE"] == facts["VideoMAE or UMT"] == (IMAGENET, "sincos_flat", True)
    assert facts["timm ViT"] == (None, "learned", True)
    assert {name: usual for name, (usual, _, made) in facts.items() if not made and usual is not CENTRED} == {
        "STViT's authors": IMAGENET, "timm MaxViT (tf)": None, "CAS-ViT's authors": IMAGENET
    }  # fmt: skip
    assert is_transformers(tiny(VideoMAEConfig, VideoMAEForVideoClassification))
    assert not is_transformers({})
