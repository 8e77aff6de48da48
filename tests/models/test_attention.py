"""Where networks look: a mark in the clip must move the map at its own place and time, in every network and option."""

import re

import pytest
import torch
from torch import nn

from vidtok.errors import ModelError
from vidtok.models.options import plain, typed_options
from vidtok.models.presets import PRESETS
from vidtok.models.registry import network_class
from vidtok.nn.looks import heads_of
from vidtok.nn.mixers import MIXERS

VIT = {"width": 24, "depth": 3, "heads": 2}
STAGES = {"widths": (16, 24, 32, 48), "depths": (1, 1, 1, 1)}
SMALL = {
    "vivit": VIT,
    "vivit_factorised": VIT,
    "stvit": {**STAGES, "heads": (1, 2, 2, 4), "projection": 32, "drop_path": 0.0},
    "maxvit": {**STAGES, "stem": 8, "head_width": 8, "window": (1, 2, 2), "drop_path": 0.0},
    "casvit": STAGES,
    "x3d": {"depth_factor": 1.0},
    "slow": {},
    "slowfast": {"depth": 50},
    "mvit_v1": {"width": 24, "depths": (1, 1, 1, 2)},
    "mvit_v2": {"width": 24, "depths": (1, 1, 1, 2)},
    "s3d": {},
    "swin3d": {"width": 24, "depths": (1, 1, 1, 2), "heads": (1, 2, 2, 4), "window": (2, 2, 2)},
}
"""What makes each network small; all else is as its presets have it."""

TL = {"after_block": 1, "tokens": 3}
SPACE, TIME = {"name": "mhsa", "axes": "space"}, {"name": "mhsa", "axes": "time"}
IMAGE_CELLS = ((1, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1))
OPTIONS = {
    "vivit": [
        {"mixer": SPACE},
        {"mixer": [[SPACE, TIME]]},
        {"mixer": [[TIME, SPACE]]},
        {"mixer": [SPACE, TIME, SPACE]},
        {"mixer": [SPACE, SPACE, TIME]},
        {"mixer": {"name": "mhsa", "axes": "split"}},
        {"pool": "max"},
        {"pool": "cls", "pre_logits": 8},
        {"position": "sincos_3d"},
        {"position": "none", "sampled_frames": 4},
        {"tubelet": (1, 16, 16)},
        *({"mixer": {"name": name}} for name in sorted(MIXERS)),
        *(
            {"mixer": {"name": name}, "pool": "cls", "token_mixer": {"name": name}}
            for name in ("separable", "efficient_additive")
        ),
        *({"token_learner": TL, "token_mixer": {"name": name}} for name in ("separable", "efficient_additive")),
        {"token_learner": {**TL, "after_block": 0}},
        {"token_learner": {**TL, "version": "1.0"}},
        {"token_learner": {**TL, "version": "1.0", "pooling": "mean", "fuse": True}},
        {"token_learner": {**TL, "fuse": True}},
        {"token_learner": {**TL, "fuse": True}, "mixer": [[SPACE, TIME]]},
    ],
    "vivit_factorised": [
        {},
        {"time_depth": 0},
        {"time_depth": 0, "pool": "cls"},
        {"pool": "max"},
        {"token_learner": TL},
        {"token_learner": {**TL, "after_block": 0}, "time_depth": 0},
        {"token_learner": {**TL, "fuse": True}, "time_depth": 1},
        {"mixer": [SPACE, TIME, SPACE]},
        *({"mixer": {"name": name}} for name in sorted(MIXERS)),
        *(
            {"mixer": {"name": name}, "pool": "cls", "token_mixer": {"name": name}}
            for name in ("separable", "efficient_additive")
        ),
    ],
    "stvit": [
        {"per_time_step": True, "cells": IMAGE_CELLS},
        {"per_time_step": True, "cells": IMAGE_CELLS, "temporal_kernel": 3},
        {"cells": ((2, 4, 4), (2, 2, 2), (1, 1, 1), (1, 1, 1)), "iterations": (2, 1, 1, 1)},
        {"temporal_strides": (1, 2, 1, 1)},
    ],
    "maxvit": [
        {"per_time_step": True},
        {"temporal_kernel": 3, "temporal_strides": (1, 2, 1, 1)},
        {"window": (2, 2, 2)},
        {"window": (3, 3, 3), "strict": False},
    ],
    "casvit": [{"per_time_step": True}, {"temporal_kernel": 3, "temporal_strides": (2, 1, 1, 1)}, {"dist_head": True}],
    "x3d": [{"token_learner": {"after_stage": stage, "tokens": 3, "heads": 2}} for stage in (1, 2, 4)],
    "swin3d": [{"window": (1, 2, 2)}, {"window": (3, 3, 3)}, {"depths": (1, 1, 1, 1)}],
    "mvit_v1": [{"depths": (1, 1, 1, 1)}],
    "mvit_v2": [{"depths": (1, 1, 1, 1)}],
}


def cases():
    """Each preset at a small size, and the options beside; those that come to the same once."""
    found = {}
    for name, preset in PRESETS.items():
        options = {**plain(preset.options), **plain(SMALL[preset.network])}
        if preset.network.startswith("vivit") and options.get("token_learner"):
            options["token_learner"] = {**options["token_learner"], "after_block": 1}
        found.setdefault((preset.network, str(sorted(options.items()))), (name, preset.network, options))
    for network, several in OPTIONS.items():
        for options in several:
            words = ",".join(f"{key}={value}" for key, value in options.items())
            found[network, words] = (f"{network}:{words}", network, plain({**SMALL[network], **options}))
    return [pytest.param(network, options, id=name) for name, network, options in found.values()]


def built(network, options, *, frames=8, size=64, seed=0):
    torch.manual_seed(seed)
    return network_class(network)(classes=3, frames=frames, size=size, **typed_options(network, plain(options)))


def quiet(network):
    """Let a token depend on its own pixels alone until the layer that is shown, and let all places be alike.

    Kernels keep their middle tap, positions and gates that pool are zero, and every attention but the one that is shown
    adds nothing. What is left is the way of the shown layer's map to its place.
    """
    mixers = [m for name, m in network.named_modules() if hasattr(m, "attention_map") and not name.endswith(".refine")]
    foreign = [m for name, m in network.named_modules() if name.endswith(".attn")]
    for mixer in [*mixers, *foreign]:
        shown = [m for m in mixers if heads_of(m) is not None][-1:] + foreign[-1:]
        parts = [] if mixer in shown else mixer.named_modules()
        for part in (part for name, part in parts if name.split(".")[-1] in ("proj", "projection", "project")):
            for parameter in part.parameters():
                parameter.zero_()
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if re.search(r"pos_embed|rel_pos|relative_position_bias|\bposition\.table$", name):
            tensor.zero_()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) and tuple(module.kernel_size) != tuple(module.stride):
            middle = tuple(extent // 2 for extent in module.kernel_size)
            kept = module.weight[(..., *middle)].clone()
            module.weight.zero_()
            module.weight[(..., *middle)] = kept
        if isinstance(module, nn.MaxPool3d) and module.kernel_size != module.stride:
            module.kernel_size, module.padding = (1, 1, 1), (0, 0, 0)
        if type(module).__name__ == "MultiAxis":
            module.bias.zero_()
        if type(module).__name__ in ("SqueezeExcitation", "SqueezeExcite", "ChannelGate"):
            for parameter in module.parameters():
                parameter.zero_()
    return network


CLIP = {"s3d": 16, "slow": 4, "x3d": 4}
"""Frames of a clip, where 8 are too few or too many to take a moment."""


@pytest.mark.parametrize(("network", "options"), cases())
@torch.no_grad()
def test_a_mark_moves_the_map_there_and_only_there(network, options):
    frames = CLIP.get(network, 8)
    size = 4 * options.get("tubelet", (2, 16, 16))[1]
    # In float64 the convolutions in three dimensions of the large ones take ten times as long.
    dtype = torch.float32 if network in ("slow", "slowfast", "s3d", "x3d") else torch.float64
    net = quiet(built(network, options, frames=frames, size=size)).to(dtype)
    still = torch.full((1, frames, 3, size, size), 0.3, dtype=dtype)
    mark = torch.tensor([2.0, -3.0, 1.0], dtype=dtype).view(3, 1, 1)
    for number, found in enumerate(net.attention(still)):
        t, h, w = found.maps.shape[1], *found.maps.shape[-2:]
        assert min(t, h, w) > 1
        places = [(0, h - 1, 0), (t - 1, 1, w - 1), (min(1, t - 1), 0, w // 2)]
        clips = still.repeat(1 + len(places), 1, 1, 1, 1)
        for clip, place in zip(clips[1:], places, strict=True):
            shares = zip(place, (t, h, w), (frames, size, size), strict=True)
            steps, rows, columns = (slice(at * pixels // n, (at + 1) * pixels // n) for at, n, pixels in shares)
            clip[steps, :, rows, columns] = mark
        maps = net.attention(clips)[number].maps
        changes = (maps[1:] - maps[0]).abs()
        for change, place in zip(changes.mean(2) if changes.dim() == 5 else changes, places, strict=True):
            by_step = change.sum((-1, -2))
            elsewhere = torch.cat([by_step[: place[0]], by_step[place[0] + 1 :]]).max()
            assert by_step[place[0]] > 2 * elsewhere, (found.place, by_step)
            if "each time step by itself" in found.query or "none" in found.query:
                assert elsewhere < 1e-6 * by_step[place[0]], (found.place, by_step)
            if "spread" not in found.meaning:  # a learned token hands what it gets to all of its places
                here = change[place].item()
                change[place] = 0
                assert here > 2 * change.max(), (found.place, here, change)


def noise(frames, size, *, count=2):
    return torch.randn(count, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("network", sorted(SMALL))
def test_asking_leaves_the_network_as_it_was(network):
    frames = CLIP.get(network, 8)
    net, x = built(network, SMALL[network], frames=frames).train(), noise(frames, 64)
    frozen = next(net.children()).eval()
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    found = net.attention(x)
    assert all(torch.equal(tensor, state[key]) for key, tensor in net.state_dict().items())
    assert net.training
    assert not frozen.training
    assert not any(module._forward_pre_hooks for module in net.modules())
    for each in found:
        assert len(each.maps) == 2
        assert not each.maps.requires_grad
        assert bool((each.maps >= 0).all())
        assert each.place
        assert each.query
        assert each.meaning
        if each.meaning.startswith("attention") and "class token" not in each.query:
            torch.testing.assert_close(each.maps.sum((1, 2, 3)), torch.ones(2), rtol=1e-5, atol=1e-5)
    assert torch.equal(net.attention(x)[-1].maps, found[-1].maps)


def test_with_a_class_token_its_look_is_shown():
    # Of the last block nothing but the first row reaches the logits: whatever else the others look at does not matter.
    net = built("vivit", {**VIT, "pool": "cls"}, frames=4, size=32).double()
    x = noise(4, 32).double()
    mixer = net.blocks[-1].mixers[0]
    tokens = []
    handle = mixer.register_forward_pre_hook(lambda module, inputs: tokens.append(inputs[0]))
    net.eval()(x)
    handle.remove()
    rows = mixer.attention_map(tokens[0])[0].mean(1)
    (found,) = net.attention(x)
    torch.testing.assert_close(found.maps.flatten(1), rows[:, 0, 1:])
    assert (rows[:, 0, 1:] - rows[:, :, 1:].mean(1)).abs().max() > 1e-3
    assert found.query == "the class token"
    assert built("vivit", VIT, frames=4, size=32).attention(x.float())[0].query == "mean over all tokens"


@pytest.mark.parametrize("network", ["vivit", "vivit_factorised"])
def test_with_a_fuser_the_last_learner_s_own_maps_are_shown(network):
    learner = {"after_block": 0, "tokens": 3, "fuse": True}
    net = built(network, {**VIT, "token_learner": learner}, frames=4, size=32)
    encoder = net.encoder if network == "vivit" else net.space
    with torch.no_grad():
        for first in encoder.token_learners[:-1]:  # their maps are flat, and that of the last is not
            for parameter in first.weigh.parameters():
                parameter.zero_()
        encoder.token_learners[-1].weigh.contract.weight.mul_(20)
    learned, spread = net.attention(noise(4, 32))
    assert learned.place.endswith("TokenLearner before block 3 of 3")
    assert spread.place.endswith("block 3 of 3, mhsa")
    assert learned.maps.amax((-1, -2)).min() > 1.5 / 4
    assert spread.maps.amax((-1, -2)).mean() > 1.2 * spread.maps.mean()


def test_layers_that_look_along_time_are_passed_over_and_that_is_said():
    x = noise(4, 32)
    (last,) = built("vivit", {**VIT, "mixer": [[SPACE, TIME]]}, frames=4, size=32).attention(x)
    assert last.place == "block 3 of 3, mhsa (axes=space) (what follows looks along time alone)"
    (earlier,) = built("vivit", {**VIT, "mixer": [SPACE, SPACE, TIME]}, frames=4, size=32).attention(x)
    assert earlier.place == "block 2 of 3, mhsa (axes=space) (what follows looks along time alone)"
    (half,) = built("vivit", {**VIT, "mixer": {"name": "mhsa", "axes": "split"}}, frames=4, size=32).attention(x)
    assert half.meaning == "attention, mean over the heads that look over space"
    # Heads along time give every place the same; were they in the mean, half of the map would be flat.
    torch.testing.assert_close(half.maps.sum((2, 3)), torch.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("vivit", {**VIT, "mixer": TIME}),
        ("vivit", {**VIT, "mixer": {"name": "multi_axis", "window": (2, 1, 1)}}),
        ("maxvit", {**SMALL["maxvit"], "window": (2, 1, 1)}),
    ],
)
def test_a_network_that_looks_along_time_alone_says_so(network, options):
    with pytest.raises(ModelError, match="no layer of this network looks from one place to another"):
        built(network, options, frames=4).attention(noise(4, 64))


def test_a_convolutional_network_does_not_call_it_attention():
    for network in ("s3d", "x3d"):
        (found,) = built(network, SMALL[network], frames=CLIP[network]).attention(noise(CLIP[network], 64))
        assert found.query.startswith("none")
        assert found.meaning.startswith("mean magnitude of the activations")
