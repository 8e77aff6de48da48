"""Groups that are a partition, with the rates that their settings say; frozen parameters."""

import pytest
import torch
from torch import nn

from tests.models.families import TINY, tiny
from vidtok.errors import ConfigError
from vidtok.models.classifier import Classifier
from vidtok.models.vivit import ViViT
from vidtok.nn.token_learner import TokenLearnerOptions
from vidtok.train.groups import check_partition, freeze, parameter_groups


def small(**options):
    sizes = {"classes": 3, "frames": 4, "size": 16, "tubelet": (2, 8, 8), "width": 16, "depth": 2, "heads": 2}
    return ViViT(**sizes, **options)


def settings_of(model, groups, key):
    """The setting of each parameter by its name, and that every parameter has exactly one."""
    found = {id(p): group[key] for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found)
    return {name: found[id(p)] for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("family", ["vivit", *TINY])
def test_decay_alone_shrinks_every_kernel_and_spares_norms_biases_and_positions(family):
    """One step of AdamW without gradients multiplies a weight by 1 - rate · factor · decay, and leaves the rest."""
    model = small(pool="cls") if family == "vivit" else tiny(family)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay=0.1, lr_scale={"head.*": 0.5}), lr=0.2)
    for group in optimizer.param_groups:
        group["lr"] *= group["lr_scale"]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    spared = set()
    for name, value in model.named_parameters():
        shrunk = before[name] * (1 - 0.2 * (0.5 if name.startswith("head.") else 1.0) * 0.1)
        if torch.equal(value, before[name]) and before[name].any():
            spared.add(name)
        else:
            torch.testing.assert_close(value.detach(), shrunk)
    kernels = (nn.Linear, nn.modules.conv._ConvNd)
    assert not spared & {f"{path}.weight" for path, part in model.named_modules() if isinstance(part, kernels)}
    norms = [path for path, part in model.named_modules() if isinstance(part, nn.LayerNorm | nn.BatchNorm2d)]
    assert spared >= {f"{path}.weight" for path in norms}
    assert spared >= {name for name in before if name.endswith("bias") and before[name].any()}
    if family == "vivit":
        assert spared >= {"encoder.position.table", "encoder.class_token.position"}


@pytest.mark.parametrize("family", TINY)
def test_networks_of_convolutions_are_grouped_too(family):
    network = tiny(family)
    groups = parameter_groups(network, weight_decay=0.1, layer_decay=0.5)
    scales, decays = (settings_of(network, groups, key) for key in ("lr_scale", "weight_decay"))
    first = "stem.0.weight"
    assert (scales[first], decays[first]) == (0.5**6, 0.1)  # five blocks
    assert scales["head.weight"] == 1.0
    assert decays["head.bias"] == 0.0


def test_layer_decay_gives_each_depth_its_factor():
    model = small(token_learner=TokenLearnerOptions(after_block=1, tokens=2))
    scales = settings_of(model, parameter_groups(model, weight_decay=0.1, layer_decay=0.75), "lr_scale")
    expected = {"tokenizer": 0.75**3, "encoder.position": 0.75**3, "encoder.blocks.0": 0.75**2}
    expected |= {"encoder.blocks.1": 0.75, "encoder.token_learners": 0.75, "pool": 1.0, "head": 1.0}
    for name, scale in scales.items():
        (wanted,) = [factor for start, factor in expected.items() if name.startswith(start)]
        assert scale == pytest.approx(wanted, rel=1e-12), name


def test_patterns_and_new_layers_multiply():
    model = small()
    groups = parameter_groups(
        model,
        weight_decay=0.0,
        layer_decay=0.5,
        lr_scale={"new": 10.0, "head.*": 3.0},
        new={"head.logits.weight", "encoder.blocks.1.mlp.expand.bias"},
    )
    scales, new = settings_of(model, groups, "lr_scale"), settings_of(model, groups, "new")
    assert scales["head.logits.weight"] == 30.0
    assert scales["head.logits.bias"] == 3.0
    assert scales["encoder.blocks.1.mlp.expand.bias"] == 5.0
    assert scales["encoder.blocks.1.mlp.expand.weight"] == 0.5
    assert {name for name in new if new[name]} == {"head.logits.weight", "encoder.blocks.1.mlp.expand.bias"}
    assert all(len(group["names"]) == len(group["params"]) for group in groups)


def test_names_are_those_of_the_network_within_a_classifier():
    network = small()
    model = Classifier(network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=tuple("abc"))
    groups = parameter_groups(model, weight_decay=0.1, lr_scale={"head.*": 2.0})
    assert {name for group in groups for name in group["names"]} == dict(network.named_parameters()).keys()


def test_a_pattern_without_effect_is_refused():
    with pytest.raises(ConfigError, match=r"`lr_scale`: 'haed.\*' fits no parameter .* begin with encoder, head"):
        parameter_groups(small(), weight_decay=0.1, lr_scale={"haed.*": 2.0})
    with pytest.raises(ConfigError, match=r"`freeze`: 'blocks.\*' fits no parameter"):
        freeze(small(), ["blocks.*"])


def test_frozen_parameters_are_in_no_group_and_stay_bitwise():
    model = small()
    nn.init.normal_(model.head.logits.weight)
    frozen = freeze(model, ["*", "!head.*", "!*.norm.weight"])
    trained = {"head.logits.weight", "head.logits.bias", "pool.norm.weight"}
    assert set(frozen) == dict(model.named_parameters()).keys() - trained
    groups = parameter_groups(model, weight_decay=0.1)
    assert {name for group in groups for name in group["names"]} == trained
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(groups, lr=0.1)
    for _ in range(2):
        model(torch.randn(2, 4, 3, 16, 16)).square().sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in trained), name


def test_freezing_everything_is_refused():
    with pytest.raises(ConfigError, match=r"`freeze`: \['\*'\] leaves nothing to train"):
        freeze(small(), ["*"])


def test_groups_that_are_no_partition_are_found():
    model = small()
    groups = parameter_groups(model, weight_decay=0.1)
    with pytest.raises(AssertionError, match="parameters train, but the groups hold"):
        check_partition(groups[1:], model)
    with pytest.raises(AssertionError, match="parameters train, but the groups hold"):
        check_partition([*groups, groups[0]], model)
