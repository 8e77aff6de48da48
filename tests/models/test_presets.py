import pytest
import torch

from vidtok.errors import ModelError
from vidtok.models import NETWORKS
from vidtok.models.architecture import Architecture
from vidtok.models.baselines import BASELINES
from vidtok.models.options import plain
from vidtok.models.presets import PRESETS, find_preset, list_models, network_and_options
from vidtok.models.vivit_sizes import FACTORISED, VIVIT

# Millions of parameters with the model's own number of classes, as published; others have tests of their own.
PUBLISHED = {
    "videomae_s16x2": 22,
    "videomae_b16x2": 87,
    "videomae_l16x2": 305,
    "videomae_h16x2": 633,
    "stvit_small": 25.5,
    "stvit_base": 52,
    "stvit_large": 95,
    "maxvit_tiny_tf_224": 31,
    "maxvit_small_tf_224": 69,
    "maxvit_base_tf_224": 120,
    "maxvit_large_tf_224": 212,
    "maxvit_xlarge_tf_224": 475,
    "casvit_xs": 3.0,
}


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - VIVIT.keys() - FACTORISED.keys() - BASELINES.keys()))
def test_every_model_builds_with_its_published_size(name):
    preset = PRESETS[name]
    plan = Architecture(network=preset.network, options=plain(preset.options), frames=preset.frames, size=preset.size)
    with torch.device("meta"):
        network = plan.build(classes=preset.classes)
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED.get(name, millions), rel=0.01)
    assert isinstance(network, NETWORKS[preset.network])


def test_published_vivits_are_there_with_their_clips():
    assert {*VIVIT, *FACTORISED} <= PRESETS.keys()
    assert (PRESETS["vivit_b16x2"].frames, PRESETS["vivit_b16x2"].size) == (32, 224)
    assert PRESETS["vivit_l10x2_tl16at18"].size == 220
    assert "size" not in PRESETS["vivit_l10x2_tl16at18"].options


def test_baselines_are_there_with_their_clips():
    assert BASELINES.keys() <= PRESETS.keys()
    assert (PRESETS["x3d_s"].network, PRESETS["x3d_s"].frames, PRESETS["x3d_s"].size) == ("x3d", 13, 160)
    assert PRESETS["swin3d_b"].std == (0.229, 0.224, 0.225)


def test_names_are_listed_by_pattern():
    assert list_models("stvit*") == ["stvit_base", "stvit_large", "stvit_small"]
    assert list_models() == sorted(PRESETS)
    assert list_models("nothing*") == []


def test_a_network_s_name_stands_for_its_defaults():
    preset = find_preset("casvit")
    assert (preset.network, preset.options, preset.frames, preset.size, preset.classes) == ("casvit", {}, 1, 224, None)


def test_a_wrong_name_says_which_was_meant():
    with pytest.raises(ModelError, match=r"no model 'stvit_smal', did you mean 'stvit_small'"):
        find_preset("stvit_smal")


def test_given_options_replace_the_preset_s():
    network, options = network_and_options({"name": "vivit_b16x2_fsa", "mixer": {"name": "mhsa"}, "depth": 3})
    assert network == "vivit"
    assert options == {"width": 768, "depth": 3, "heads": 12, "pool": "mean", "mixer": {"name": "mhsa"}}
    _, options = network_and_options({"name": "vivit_b16x2_tl8at6"})
    assert options["token_learner"]["after_block"] == 6
    assert PRESETS["vivit_b16x2_fsa"].options["depth"] == 12
