"""Encoders of transformers behind the contract: the library's numbers, the grid in its order, refusals."""

import ast
import sys
from pathlib import Path

import pytest
import torch
from einops import rearrange

import vidtok
from tests.models.contract import keeps_the_contract
from tests.models.transformers_tiny import SAVED, clip_size, library_tokens, part_of, saved_in, whole
from vidtok.errors import ModelError
from vidtok.models.registry import network_class
from vidtok.models.transformers_encoder import TransformersEncoder
from vidtok.models.transformers_families import FAMILIES
from vidtok.models.transformers_folder import open_folder

FRAMES_FIRST = "b (t h w) d -> b t h w d"
LAYOUTS = {"TimeSformer": "b (h w t) d -> b t h w d", "Hiera": "(b t) h w d -> b t h w d"}
"""Of the library's tokens behind its class and register tokens, as its documentation and its code have them."""
PICTURES = ("DINOv3", "SigLIP", "CLIP", "X-CLIP")
BESIDE = {"ViViT": 1, "TimeSformer": 1, "DINOv3": 3, "CLIP": 1, "X-CLIP": 1}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Each name's encoder, from a folder that the library saved."""
    found: dict[str, TransformersEncoder] = {}

    def of(name: str) -> TransformersEncoder:
        if name not in found:
            frames, rows, columns = clip_size(name)
            folder = saved_in(tmp_path_factory.mktemp("saved"), name, size={"height": rows, "width": columns})
            weights = open_folder(folder, name=name, source=str(folder))
            made = TransformersEncoder(classes=3, frames=frames, size=(rows, columns), **weights.options)
            made.body.load_state_dict(dict(weights.state))
            found[name] = made.eval()
        return found[name]

    return of


def noise(name: str, count: int = 2) -> torch.Tensor:
    frames, rows, columns = clip_size(name)
    return torch.randn(count, frames, 3, rows, columns, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SAVED)
def test_features_are_the_library_s_own_forward_pass(encoder, name):
    network, clip = encoder(name), noise(name)
    steps, height, width = network.grid
    family = part_of(name)[0].words
    tokens = library_tokens(name, clip)
    if family == "Hiera":
        wanted = rearrange(tokens, LAYOUTS[family], b=2)
    elif family in PICTURES:
        beside = BESIDE.get(family, 0)
        wanted = rearrange(tokens[:, beside:], "(b t) (h w) d -> b t h w d", b=2, h=height)
        if beside:
            with torch.no_grad():
                apart = network.beside(clip)
            own = rearrange(tokens[:, :beside], "(b t) n d -> b t n d", b=2)
            torch.testing.assert_close(apart, own, rtol=0, atol=1e-5)
    else:
        beside = BESIDE.get(family, 0)
        layout = LAYOUTS.get(family, FRAMES_FIRST)
        wanted = rearrange(tokens[:, beside:], layout, t=steps, h=height, w=width)
    with torch.no_grad():
        found = network.features(clip)
        last, _middle = network.maps(clip)
        depths = network.features(clip, depths=range(len(network.blocks) + 1))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert torch.equal(last, found)
    assert torch.equal(depths[-1], found)
    assert all(depth.shape[:2] == found.shape[:2] for depth in depths)


@pytest.mark.parametrize("name", [name for name in SAVED if "," not in name])
def test_a_mark_shows_first_in_its_place_of_the_grid(encoder, name):
    """Before the first block a token has seen its own pixels alone (and positions), so a mark is in one place only."""
    network = encoder(name)
    clip = noise(name, 1)
    (plain,) = network.features(clip, depths=[0])
    steps, height, width = plain.shape[1:4]
    places = [(steps - 1, 0, width - 1), (0, height - 1, 0), (steps // 2, height - 1, width - 1)]
    frames, rows, columns = (extent // cells for extent, cells in zip(network.clip, plain.shape[1:4], strict=True))
    for t, h, w in places:
        marked = clip.clone()
        # In the middle of the cell, since the patches of a Hiera overlap.
        at = (frames * t + frames // 2, rows * h + rows // 2, columns * w + columns // 2)
        marked[0, at[0], :, at[1], at[2]] += 9.0
        (depth,) = network.features(marked, depths=[0])
        change = (depth - plain).abs().sum(dim=-1)[0]
        strongest = tuple(int(k) for k in torch.unravel_index(change.argmax(), change.shape))
        reach = 1 if name == "Hiera" else 0  # whose cells overlap
        assert all(abs(one - other) <= reach for one, other in zip(strongest, (t, h, w), strict=True))
        if name == "PE-Video":  # which normalises over the whole clip before its first block
            continue
        elsewhere = change.clone()
        elsewhere[t, max(0, h - 1) : h + 2, max(0, w - 1) : w + 2] = 0
        assert not elsewhere.any()


@pytest.mark.parametrize("name", [name for name in SAVED if "," not in name])
def test_frames_apart_is_so(encoder, name):
    """Whether the first time step knows of the last frame."""
    network = encoder(name)
    clip = noise(name, 1)
    other = clip.clone()
    other[:, -1] += noise(name, 2)[1:, -1]
    with torch.no_grad():
        (last, _), (changed, _) = network.maps(clip), network.maps(other)
    assert not torch.allclose(last[:, -1], changed[:, -1])
    assert torch.equal(last[:, 0], changed[:, 0]) is network.frames_apart


def test_positions_of_v_jepa_2_are_those_of_the_clip(encoder):
    """The library counts places by the configured size, so that other pictures get the rows of that one in silence."""
    weights = encoder("V-JEPA 2").body.state_dict()
    config = {**part_of("V-JEPA 2")[1].config.to_dict()}
    clip = torch.randn(1, 4, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    network = TransformersEncoder(classes=2, config=config, frames=4, size=24).eval()
    network.body.load_state_dict(weights)
    library = type(network.body)(type(network.body.config).from_dict({**config, "crop_size": 24})).eval()
    library.load_state_dict(whole("V-JEPA 2").state_dict())
    with torch.no_grad():
        found = network.features(clip).flatten(1, 3)
        wanted, as_it_is = (
            model(clip, skip_predictor=True).last_hidden_state for model in (library, whole("V-JEPA 2"))
        )
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert not torch.allclose(found, as_it_is, atol=1e-5)


def test_depths_go_through_the_final_norm(encoder):
    network = encoder("VideoPrism")
    body, clip = whole("VideoPrism"), noise("VideoPrism")
    outputs = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: outputs.append(out)) for layer in body.spatial_layers]
    with torch.no_grad():
        body(pixel_values_videos=clip)
        first, second, last = network.features(clip, depths=[1, 2, 3])
        wanted = [body.layernorm1(out) for out in outputs]
    for hook in hooks:
        hook.remove()
    for found, tokens in zip((first, second), wanted, strict=True):
        torch.testing.assert_close(found, rearrange(tokens, "(b t) (h w) d -> b t h w d", b=2, h=2), rtol=0, atol=1e-5)
    assert last.shape == first.shape
    network = encoder("CLIP")
    clip = noise("CLIP")
    with torch.no_grad():
        told = whole("CLIP").vision_model(clip.flatten(0, 1), output_hidden_states=True).hidden_states[1]
        wanted = whole("CLIP").vision_model.post_layernorm(told)
        (found,) = network.features(clip, depths=[1])
    torch.testing.assert_close(
        found, rearrange(wanted[:, 1:], "(b t) (h w) d -> b t h w d", b=2, h=2), rtol=0, atol=1e-5
    )


def test_every_family_is_asked():
    assert {part_of(name)[0].words for name in SAVED} == {family.words for family in FAMILIES}


@pytest.mark.parametrize(
    ("name", "clip", "words"),
    [
        ("V-JEPA 2", (5, 32, 32), r"takes frames in multiples of 2: it would leave the rest out, got 5"),
        ("V-JEPA 2", (4, 36, 36), r"takes pictures in multiples of \(8, 8\) pixels"),
        ("V-JEPA 2", (4, 32, 40), r"takes square pictures"),
        ("VideoPrism", (4, 16, 24), r"clips of 3 frames, got 4"),
        ("VideoMAE", (8, 16, 16), r"clips of 4 frames, got 8"),
        ("ViViT", (4, 24, 24), r"pictures of \(16, 24\) \(rows, columns\), got \(24, 24\)"),
        ("TimeSformer", (6, 16, 16), r"clips of 3 frames, got 6"),
        ("TimeSformer", (3, 32, 32), r"pictures of \(16, 16\)"),
        ("Hiera", (2, 32, 32), r"pictures of \(64, 64\)"),
        ("PE-Video", (2, 64, 64), r"pictures of \(32, 32\)"),
        ("DINOv3", (2, 20, 16), r"multiples of \(8, 8\)"),
        ("SigLIP", (2, 32, 32), r"pictures of \(16, 16\)"),
        ("CLIP", (2, 32, 32), r"pictures of \(16, 16\)"),
        ("X-CLIP", (6, 16, 16), r"clips of 3 frames, got 6"),
    ],
)
def test_a_clip_that_it_was_not_built_for_is_refused(name, clip, words):
    frames, rows, columns = clip
    config = part_of(name)[1].config.to_dict()
    with pytest.raises(ModelError, match=words):
        TransformersEncoder(classes=2, config=config, frames=frames, size=(rows, columns))


def test_a_built_encoder_takes_no_other_clip():
    config = part_of("DINOv3")[1].config.to_dict()
    network = TransformersEncoder(classes=2, config=config, frames=2, size=16)
    network.also_take(frames=2, size=16)
    with pytest.raises(ModelError, match="DINOv3 takes the clips that it was built for alone"):
        network.also_take(frames=2, size=32)


def test_configurations_of_nothing_known_are_refused():
    with pytest.raises(ModelError, match=r"config.model_type='bert' is no encoder that is known here; known: vjepa2, "):
        TransformersEncoder(classes=2, config={"model_type": "bert"})
    with pytest.raises(ModelError, match="no CLIP can be made of it"):
        TransformersEncoder(classes=2, config={"model_type": "clip_vision_model", "hidden_size": "wide"})
    config = {**part_of("TimeSformer")[1].config.to_dict(), "attention_type": "space_only"}
    with pytest.raises(ModelError, match="has no tokens in time"):
        TransformersEncoder(classes=2, config=config, frames=3, size=16)


def test_without_transformers_the_error_says_what_to_install(monkeypatch):
    config = part_of("CLIP")[1].config.to_dict()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"needs the package transformers, 5\.24 or newer: pip install"):
        TransformersEncoder(classes=2, config=config, frames=2, size=16)
    assert network_class("transformers") is TransformersEncoder


def test_transformers_is_imported_by_its_use_alone():
    names = {
        name.split(".")[0]
        for file in Path(vidtok.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert "torch" in names
    assert "transformers" not in names


def test_the_contract():
    keeps_the_contract("transformers")
