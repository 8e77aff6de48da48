"""What every mixer of the registry promises. Its naive reference is `naive(module, x)` in tests/references/NAME.py."""

import copy
import importlib
import inspect
import itertools
from types import UnionType
from typing import Literal, Union, get_args, get_origin

import pytest
import torch

from tests.defaults import function_defaults
from vidtok.errors import ModelError
from vidtok.nn.inference import inference_layer
from vidtok.nn.mixers import MIXERS, make_mixer

WIDTH, HEADS = 24, 2
GRIDS = [(2, 4, 4), (1, 4, 4), (3, 5, 6), (1, 3, 5), (2, 1, 1)]
# For mixers that take no other sizes than multiples of their window.
WINDOWED = (2, 7, 7)


def literal_values(annotation) -> tuple:
    """The values of a Literal annotation, on its own or in a union; nothing for others."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return tuple(v for part in get_args(annotation) for v in literal_values(part))
    return (True, False) if annotation is bool else ()


def build(spec):
    """The mixer in float64 and eval mode, every parameter and running mean away from the values at which it starts."""
    torch.manual_seed(0)
    mixer = make_mixer(WIDTH, heads=HEADS, spec=spec).double().eval()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for name, buffer in mixer.named_buffers():
            if name.endswith("running_mean"):
                buffer += 0.1 * torch.randn_like(buffer)
            elif name.endswith("running_var"):
                buffer *= 1 + 0.5 * torch.rand_like(buffer)
    return mixer


def tokens(grid, *, clips=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(clips, *grid, WIDTH, dtype=torch.float64, generator=generator)


def accepted_grids(spec):
    """The grids of GRIDS that the mixer takes, or else the windowed one."""
    mixer, taken = build(spec), []
    for grid in GRIDS:
        try:
            with torch.no_grad():
                mixer(tokens(grid))
            taken.append(grid)
        except ModelError as error:
            if not any(character.isdigit() for character in str(error)):
                raise AssertionError(f"the error must name the sizes: {error}") from error
    return taken or [WINDOWED]


def variants():
    """Every mixer with every combination of its choices (Literal and bool options), all else at the defaults."""
    found = []
    for name, cls in sorted(MIXERS.items()):
        signature = inspect.signature(cls).parameters.values()
        choices = {p.name: literal_values(p.annotation) for p in signature if literal_values(p.annotation)}
        for values in itertools.product(*choices.values()):
            found.append({"name": name, **dict(zip(choices, values, strict=True))})
    return found


def label(value):
    return "-".join(str(v) for v in (value.values() if isinstance(value, dict) else value))


VARIANTS = [(spec, accepted_grids(spec)) for spec in variants()]
WITH_A_GRID = pytest.mark.parametrize(("spec", "grid"), [(spec, grids[0]) for spec, grids in VARIANTS], ids=label)


@pytest.mark.parametrize(("spec", "grid"), [(spec, grid) for spec, grids in VARIANTS for grid in grids], ids=label)
def test_equals_the_naive_reference(spec, grid):
    mixer, x = build(spec), tokens(grid)
    with torch.no_grad():
        out = mixer(x)
        want = importlib.import_module(f"tests.references.{spec['name']}").naive(mixer, x)
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    torch.testing.assert_close(out, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", sorted(MIXERS))
def test_the_defaults_take_any_small_grid(name):
    assert accepted_grids({"name": name}) == GRIDS


@WITH_A_GRID
def test_clips_do_not_see_each_other(spec, grid):
    mixer, x = build(spec), tokens(grid, clips=3)
    with torch.no_grad():
        together, alone = mixer(x), torch.cat([mixer(clip.unsqueeze(0)) for clip in x])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


@WITH_A_GRID
def test_every_parameter_has_a_gradient(spec, grid):
    mixer, x = build(spec), tokens(grid).requires_grad_()
    (mixer(x) * tokens(grid, seed=2)).sum().backward()
    trained = [(name, p) for name, p in mixer.named_parameters() if p.requires_grad]
    missing = [name for name, p in trained if p.grad is None or not bool(p.grad.abs().max() > 0)]
    assert not missing, missing
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


@WITH_A_GRID
def test_the_map_gives_the_output(spec, grid):
    mixer, x = build(spec), tokens(grid)
    n = grid[0] * grid[1] * grid[2]
    with torch.no_grad():
        attention, out = mixer.attention_map(x)
        torch.testing.assert_close(out, mixer(x), rtol=1e-10, atol=1e-12)
        if attention.dim() == 5:
            assert attention.shape[:4] == (2, *grid)
            return
        assert attention.shape[0] == 2
        assert attention.shape[2:] == (n, n)
        query = torch.tensor([5, 0, 17])
        rows, out = mixer.attention_map(x, query=query)
        torch.testing.assert_close(rows, attention[:, :, query], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(out, mixer(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "grid"), [(spec, grids[0]) for spec, grids in VARIANTS if not build(spec).needs_grid], ids=label
)
def test_without_a_need_for_the_grid_any_axes_do(spec, grid):
    mixer, x = build(spec), tokens(grid)
    with torch.no_grad():
        torch.testing.assert_close(mixer(x.flatten(1, 3)), mixer(x).flatten(1, 3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@WITH_A_GRID
def test_half_precision_is_finite(spec, grid, dtype):
    mixer, x = build(spec).float(), tokens(grid).float().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        out = mixer(x)
    out.float().sum().backward()
    assert bool(out.isfinite().all())
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


APART = (
    {"name": "mhsa", "axes": "space"},
    {"name": "multi_axis", "window": (1, 2, 2), "partition": "grid"},
    {"name": "conv_additive", "temporal_kernel": 1, "pool": "time_step"},
)


@pytest.mark.parametrize("spec", [*(spec for spec, _ in VARIANTS), *APART], ids=label)
def test_time_steps_that_are_said_to_be_apart_are(spec):
    mixer, x = build(spec), tokens((2, 4, 4))
    with torch.no_grad():
        if not getattr(mixer, "steps_apart", False):
            assert spec not in APART
            return
        torch.testing.assert_close(mixer(x[:, 1:]), mixer(x)[:, 1:])
        torch.testing.assert_close(mixer(x[:, :1]), mixer(x)[:, :1])


@pytest.mark.parametrize(("spec", "grid"), [(spec, grids[-1]) for spec, grids in VARIANTS], ids=label)
def test_the_form_for_inference_gives_the_same_by_constants(spec, grid):
    mixer, x = build(spec), tokens(grid)
    form = inference_layer(copy.deepcopy(mixer).requires_grad_(False), fused=False)  # as a network does
    assert not any(weight.requires_grad for weight in form.parameters())
    with torch.no_grad():
        want, (map_wanted, _) = mixer(x), mixer.attention_map(x)
        torch.testing.assert_close(form(x), want, rtol=1e-10, atol=1e-12)
        attention, out = form.attention_map(x)
        torch.testing.assert_close(attention, map_wanted, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(out, want, rtol=1e-10, atol=1e-12)
        query = torch.tensor([1, 0])
        rows = form.attention_map(x, query=query)[0]
        torch.testing.assert_close(rows, mixer.attention_map(x, query=query)[0], rtol=1e-10, atol=1e-12)
    assert form.needs_grid is mixer.needs_grid
    assert getattr(form, "map_meaning", None) == getattr(mixer, "map_meaning", None)


def test_what_is_taken_where_nothing_is_said():
    """A default that moves changes everyone's runs: it is meant, or it is a slip."""
    own = {name: cls for name, cls in MIXERS.items() if cls.__module__.startswith("vidtok.")}
    assert {name: function_defaults(cls) for name, cls in own.items()} == {
        "conv_additive": {"temporal_kernel": 3, "pool": "clip"},
        "efficient_additive": {},
        "mhsa": {"heads": 12, "axes": "joint", "qkv_bias": "full"},
        "multi_axis": {"heads": 8, "window": (2, 7, 7), "partition": "block", "strict": False},
        "separable": {},
        "super_token": {"heads": 8, "cells": (2, 2, 2), "iterations": 1},
    }
