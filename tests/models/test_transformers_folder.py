"""Folders that transformers saved: opened whole, with the pixels that their files say, or refused with the cause."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as library
from safetensors.torch import load_file, save_file

import vidtok
from tests.models.transformers_tiny import part_of, saved_in, whole
from vidtok.errors import CheckpointError
from vidtok.models.encoders import find_encoder
from vidtok.models.transformers_folder import open_folder, size_of
from vidtok.runs.fit_model import encoder_model


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    return saved_in(tmp_path_factory.mktemp("clip"), "CLIP")


@pytest.fixture
def folder(clip_folder, tmp_path) -> Path:
    """A CLIP's, which the test may spoil."""
    for file in clip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change(folder: Path, file: str = "config.json", **values) -> None:
    told = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps({**told, **values}), encoding="utf-8")


def refused(folder: Path, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        open_folder(folder, name="mine", source=str(folder))


def test_the_vision_part_comes_with_its_pixels_and_its_licence(folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# CLIP\n", encoding="utf-8")
    found = find_encoder(str(folder))
    part = part_of("CLIP")[1].state_dict()
    assert found.state.keys() == part.keys()
    assert all(torch.equal(value, part[key]) for key, value in found.state.items())
    assert (found.mean, found.std, found.size) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 16)
    assert (found.frames, found.step, found.network) == (None, 1, "transformers")
    assert found.source == f"{folder} (CLIP, licence: mit)"
    assert found.name == folder.name


def test_the_saved_model_needs_nothing_else(folder, tmp_path_factory):
    found = find_encoder(str(folder))
    model = encoder_model(found, ("a", "b"), summary="time", frames=2, kind="softmax")
    torch.nn.init.normal_(model.network.head.weight)
    home = tmp_path_factory.mktemp("model")
    model.save_pretrained(home)
    for file in folder.iterdir():
        file.unlink()
    again = vidtok.load(home)
    clip = torch.randint(0, 256, (1, 2, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(again(clip), model(clip))
    assert again.normalisation == (found.mean, found.std)


@pytest.mark.parametrize(
    ("saved", "settings"),
    [
        ("VivitImageProcessor", {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}),
        ("SiglipImageProcessor", {"size": {"height": 16, "width": 16}}),
        ("VJEPA2VideoProcessor", {"crop_size": {"height": 16, "width": 16}}),
    ],
)
def test_pixels_become_what_the_library_s_own_preprocessor_makes_of_them(folder, saved, settings):
    """On a picture of the right size, where only the numbers are in question."""
    (folder / "preprocessor_config.json").unlink()
    processor = getattr(library, saved)(**settings)
    processor.save_pretrained(folder)
    found = find_encoder(str(folder))
    assert found.size == 16
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    if "Video" in saved or "Vivit" in saved:
        key = "pixel_values_videos" if "Video" in saved else "pixel_values"
        frames = torch.from_numpy(pixels) if "Video" in saved else list(pixels)
        options = {"do_resize": False} if "Video" in saved else {}
        wanted = processor(frames, return_tensors="pt", **options)[key][0]
    else:
        wanted = processor(torch.from_numpy(pixels), return_tensors="pt", do_resize=False)["pixel_values"]
    model = encoder_model(found, ("a", "b"), summary="mean", frames=2, kind="softmax")
    torch.testing.assert_close(model.normalise(torch.from_numpy(pixels)[None])[0], wanted, rtol=1e-5, atol=1e-5)
    if saved == "VivitImageProcessor":
        assert float(wanted.min()) < -2.9


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"size": 224}, 224),
        ({"size": {"shortest_edge": 256}, "crop_size": 224}, 224),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True}, 224),
        ({"size": {"height": 256, "width": 320}, "crop_size": None}, (256, 320)),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": False}, 256),
    ],
)
def test_sizes_in_every_form(settings, wanted):
    assert size_of(settings) == wanted


def test_keys_that_are_missing_or_of_another_shape_are_refused(folder):
    file = folder / "model.safetensors"
    state = load_file(file)
    for key in ("vision_model.post_layernorm.weight", "text_model.final_layer_norm.bias"):
        save_file({name: value for name, value in state.items() if name != key}, file, metadata={"format": "pt"})
        refused(folder, f"CLIPModel: 1 keys have no weights, such as {key}")
    save_file({**state, "visual_projection.weight": torch.zeros(3, 3)}, file, metadata={"format": "pt"})
    refused(folder, "visual_projection|another shape|mismatch")
    deeper = {**state, "vision_model.encoder.layers.2.mlp.fc1.bias": torch.zeros(32)}
    save_file(deeper, file, metadata={"format": "pt"})
    refused(folder, "1 keys have no place in it, such as vision_model.encoder.layers.2")
    file.write_bytes(file.read_bytes()[:200])
    refused(folder, "cannot open")


def test_a_clip_model_is_not_opened_as_its_vision_part_with_weights_at_random(folder):
    change(folder, architectures=["CLIPVisionModel"])
    refused(folder, "CLIPVisionModel")


def test_pickles_are_refused(folder):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (folder / "ran",))

    (folder / "model.safetensors").unlink()
    torch.save({"a": Evil()}, folder / "pytorch_model.bin")
    refused(folder, r"no model.safetensors; pytorch_model.bin is a pickle, which can run code")
    assert not (folder / "ran").exists()


def test_code_that_comes_with_a_model_is_refused(folder):
    (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')", encoding="utf-8")
    change(folder, auto_map={"AutoConfig": "mine.Config", "AutoModel": "mine.Model"})
    refused(folder, "auto_map names code that this model brings along")
    change(folder, model_type="mine")
    refused(folder, "auto_map")
    assert not (folder / "ran").exists()


def test_kinds_that_are_not_known_are_refused(folder):
    change(folder, architectures=["BertModel"], model_type="bert")
    refused(
        folder, r"architectures=\['BertModel'\] \(model_type='bert'\) is no encoder that is known here; known: VJEPA2"
    )
    change(folder, architectures=["Siglip2Model"], model_type="siglip2")
    refused(folder, "takes patches instead of pictures; timm has this encoder for pictures")
    (folder / "adapter_config.json").write_text("{}")
    change(folder, architectures=["CLIPModel"], model_type="clip")
    refused(folder, "adapter")
    (folder / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not a configuration"):
        open_folder(folder, name="mine", source="x")
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no encoder: there is no config\.json"):
        find_encoder(str(folder))


def test_pixels_are_told_and_never_guessed(folder):
    file = "preprocessor_config.json"
    change(folder, file, image_mean=None)
    refused(folder, "does not say how pixels become what the encoder takes")
    change(folder, file, image_mean=[0.1, 0.2, 0.3], size={"height": 24, "width": 24})
    refused(folder, r"CLIP was built for pictures of \(16, 16\) \(rows, columns\), got \(24, 24\)")
    change(folder, file, size=16)
    (folder / "video_preprocessor_config.json").write_text((folder / file).read_text())
    assert find_encoder(str(folder)).size == 16
    change(folder, "video_preprocessor_config.json", image_std=[1.0, 1.0, 1.0])
    refused(folder, "want different pixels; leave one")
    (folder / file).unlink()
    inner = json.loads((folder / "video_preprocessor_config.json").read_text())
    (folder / "video_preprocessor_config.json").unlink()
    refused(folder, r"there is no preprocessor_config.json")
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": inner, "processor_class": "X"}))
    assert find_encoder(str(folder)).std == (1.0, 1.0, 1.0)


def test_a_videomae_without_the_norm_of_its_head_is_refused(tmp_path):
    whole("VideoMAE").videomae.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"size": 16, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}')
    refused(tmp_path, "use_mean_pooling=true puts the final norm into the head")


def test_clips_that_leave_no_choice(tmp_path):
    found = find_encoder(str(saved_in(tmp_path / "x", "X-CLIP")))
    assert (found.frames, found.step) == (3, 1)
    found = find_encoder(str(saved_in(tmp_path / "v", "V-JEPA 2", size=32)))
    assert (found.frames, found.step) == (None, 2)
