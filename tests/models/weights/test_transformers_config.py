"""Folders of transformers: config.json is followed, and the logits are those of the library's own model."""

import json
import logging

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    VideoMAEImageProcessor,
    VivitConfig,
    VivitForVideoClassification,
    VivitImageProcessor,
)

from vidtok.errors import CheckpointError
from vidtok.loading import load_model
from vidtok.models.create import create_model
from vidtok.models.weights.files import read_weights
from vidtok.models.weights.transformers_config import (
    ACTIVATIONS,
    normalisation_of,
    read_settings,
    read_transformers_config,
)

NAMES = {0: "walk", 1: "hop ü", 2: "run"}
SIZES = {
    "image_size": [32, 48],
    "num_frames": 4,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "intermediate_size": 36,
    "id2label": NAMES,
    "label2id": {name: number for number, name in NAMES.items()},
    "layer_norm_eps": 3e-3,
}


def shaken(model):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def vivit(folder, **changes):
    model = shaken(VivitForVideoClassification(VivitConfig(tubelet_size=[2, 16, 16], **{**SIZES, **changes})))
    model.save_pretrained(folder)
    return model


def videomae(folder, **changes):
    sizes = {**SIZES, "image_size": 32, "tubelet_size": 2, "patch_size": 8}
    model = shaken(VideoMAEForVideoClassification(VideoMAEConfig(**{**sizes, **changes})))
    model.save_pretrained(folder)
    return model


def same_logits(model, theirs):
    frames, size = model.architecture.frames, model.architecture.size
    rows, columns = (size, size) if isinstance(size, int) else size
    clips = torch.randint(0, 256, (2, frames, 3, rows, columns), dtype=torch.uint8)
    with torch.no_grad():
        pixels = (clips / 255 - model.mean) / model.std
        torch.testing.assert_close(model.eval()(clips), theirs(pixel_values=pixels).logits, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["vivit_b16x2", "videomae_b16x2", "vivit_ti16x2"])
@pytest.mark.parametrize("make", [vivit, videomae])
def test_the_files_word_comes_before_the_names(name, make, tmp_path, caplog):
    theirs = make(tmp_path)
    model = create_model(name, weights=tmp_path)
    same_logits(model, theirs)
    assert model.classes == ("walk", "hop ü", "run")
    assert model.network.blocks[0].mixers[0].heads == 6
    assert model.network.blocks[0].mlp_norm.eps == 3e-3
    assert model.architecture.frames == 4
    assert model.architecture.size == ((32, 48) if make is vivit else 32)
    assert "heads=6 as the weights say" in caplog.text
    assert "usually made with" not in caplog.text


@pytest.mark.parametrize("act", sorted(ACTIVATIONS))
def test_every_activation_has_its_form(act, tmp_path):
    theirs = vivit(tmp_path, hidden_act=act)
    same_logits(create_model("vivit_b16x2", weights=tmp_path), theirs)


@pytest.mark.parametrize("make", [vivit, videomae])
def test_attention_without_biases(make, tmp_path):
    theirs = make(tmp_path, **{"qkv_bias" if make is vivit else "qv_bias": False})
    same_logits(create_model("vivit_b16x2", weights=tmp_path), theirs)


def test_what_has_no_form_is_refused(tmp_path):
    vivit(tmp_path, hidden_act="tanh")
    with pytest.raises(CheckpointError, match=r"config.json: hidden_act='tanh' has no form here; known: gelu_fast"):
        create_model("vivit_b16x2", weights=tmp_path)
    videomae(tmp_path, use_mean_pooling=False)
    with pytest.raises(CheckpointError, match=r"config.json: use_mean_pooling=false: logits from the first token"):
        create_model("videomae_b16x2", weights=tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path.parent / "alone.pth")
    with pytest.raises(CheckpointError, match=r"layernorm with a classifier: these weights read the first token"):
        create_model(
            "videomae_b16x2", weights=tmp_path.parent / "alone.pth", width=24, depth=2, heads=6, mlp_ratio=1.5,
            tubelet=(2, 8, 8),
        )  # fmt: skip
    for change, message in (
        ({"num_channels": 1}, "num_channels=1; pictures here have 3 colours"),
        ({"id2label": {"0": "a", "2": "b"}}, r"not a whole config .*id2label numbers 2 classes \[0, 2\], not 0 to 1"),
        ({"hidden_size": None}, "not a whole config"),
    ):
        vivit(tmp_path)
        told = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps({**told, **change}))
        with pytest.raises(CheckpointError, match=message):
            create_model("vivit_b16x2", weights=tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json: not valid JSON"):
        create_model("vivit_b16x2", weights=tmp_path)


def test_what_is_given_comes_first_and_other_heads_are_an_error(tmp_path, caplog):
    vivit(tmp_path)
    with pytest.raises(CheckpointError, match="the weights were made with 6 heads, the network has 3: set heads=6"):
        create_model("vivit_b16x2", weights=tmp_path, heads=3)
    create_model("vivit_b16x2", weights=tmp_path, gelu="erf", norm_eps=1e-5)
    assert "the weights were made with gelu=tanh, the network has erf" in caplog.text
    assert "the weights were made with norm_eps=0.003, the network has 1e-05" in caplog.text
    caplog.clear()
    model = create_model("vivit_b16x2", weights=tmp_path, classes=["a", "b", "c"])
    assert not model.network.head.logits.weight.any()
    assert "skipped: classifier.weight (of a last layer for other classes)" in caplog.text
    model = create_model("vivit_b16x2", weights=tmp_path, classes=NAMES)
    assert model.network.head.logits.weight.any()


def test_token_learner_stays_where_the_name_stands_for_it(tmp_path):
    vivit(tmp_path)
    model = create_model("vivit_b16x2_tl8at6", weights=tmp_path, token_learner={"after_block": 1, "tokens": 2})
    assert model.network.after_block == 1
    assert model.network.pool.kind == "mean"
    assert model.network.blocks[0].mixers[0].heads == 6
    model = create_model("vivit_b16x2_fsa", weights=tmp_path)
    assert [mixer.axes for mixer in model.network.blocks[0].mixers] == ["space", "time"]


def test_placeholders_are_no_names(tmp_path):
    sizes = {key: value for key, value in SIZES.items() if key not in ("id2label", "label2id")}
    shaken(VivitForVideoClassification(VivitConfig(**sizes, num_labels=5))).save_pretrained(tmp_path)
    assert read_weights(tmp_path).classes is None
    assert create_model("vivit_b16x2", weights=tmp_path).classes == ("0", "1", "2", "3", "4")
    model = create_model("vivit_b16x2", weights=tmp_path, classes=list("abcde"))
    assert model.network.head.logits.weight.any()


def test_a_pretraining_folder_gives_its_encoder(tmp_path):
    sizes = {key: value for key, value in SIZES.items() if key not in ("id2label", "label2id", "image_size")}
    decoder = {"decoder_hidden_size": 12, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
    config = VideoMAEConfig(image_size=32, patch_size=8, **sizes, **decoder, use_mean_pooling=False)
    VideoMAEForPreTraining(config).save_pretrained(tmp_path)
    model = create_model("videomae_b16x2", weights=tmp_path, classes=2)
    assert model.network.grid == (2, 4, 4)
    assert model.network.blocks[0].mixers[0].heads == 6


@pytest.mark.parametrize(
    ("processor", "changes"),
    [
        (VivitImageProcessor, {}),
        (VivitImageProcessor, {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 1.0, 0.25]}),
        (VivitImageProcessor, {"offset": False, "rescale_factor": 1 / 255}),
        (VideoMAEImageProcessor, {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}),
        (VideoMAEImageProcessor, {"do_normalize": False}),
    ],
)
def test_pixels_are_normalised_as_the_preprocessor_does(processor, changes, tmp_path):
    vivit(tmp_path)
    made = processor(do_resize=False, do_center_crop=False, **changes)
    made.save_pretrained(tmp_path)
    model = create_model("vivit_b16x2", weights=tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), dtype=np.uint8)
    want = made(list(frames), return_tensors="pt")["pixel_values"][0]
    got = (torch.from_numpy(frames).movedim(-1, 1) / 255 - model.mean) / model.std
    torch.testing.assert_close(got, want.float(), atol=1e-5, rtol=1e-5)


def test_a_folder_of_another_kind_tells_nothing(tmp_path):
    assert read_transformers_config(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert read_transformers_config(tmp_path) is None
    (tmp_path / "config.json").write_text("[]")
    assert read_transformers_config(tmp_path) is None


def test_such_a_folder_is_no_model_of_ours_and_the_message_says_what_to_do(tmp_path):
    vivit(tmp_path)
    with pytest.raises(CheckpointError, match=r"not a model of vidtok .* vidtok.create_model\(NAME, weights=FOLDER\)"):
        load_model(tmp_path)


def test_without_config_json_the_notes_say_what_is_usual(tmp_path, caplog):
    theirs = vivit(tmp_path, num_attention_heads=2)
    torch.save(theirs.state_dict(), tmp_path.parent / "alone.pth")
    options = {"width": 24, "depth": 2, "heads": 2, "mlp_ratio": 1.5, "frames": 4, "size": (32, 48), "norm_eps": 1e-3}
    with caplog.at_level(logging.INFO):
        create_model("vivit_b16x2", weights=tmp_path.parent / "alone.pth", source_grid=(2, 2, 3), classes=3, **options)
    assert "weights of this kind are usually made with norm_eps=1e-06, the network has 0.001" in caplog.text


@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [
        ({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}, -2.0, 2.0),
        ({"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "do_normalize": False}, 0.0, 1.0),
        ({"do_normalize": False, "rescale_factor": 1 / 127.5}, 0.0, 2.0),
        ({"do_normalize": False, "rescale_factor": 1 / 127.5, "offset": True}, -1.0, 1.0),
        ({"do_normalize": False, "rescale_factor": 1 / 127.5, "offset": True, "do_rescale": False}, 0.0, 255.0),
    ],
)
def test_a_preprocessor_takes_the_darkest_and_the_lightest_pixel_there(settings, low, high):
    mean, std = normalisation_of(settings)
    assert [(0 - m) / s for m, s in zip(mean, std, strict=True)] == pytest.approx([low] * 3)
    assert [(1 - m) / s for m, s in zip(mean, std, strict=True)] == pytest.approx([high] * 3)


def test_a_processor_s_inner_settings_count_and_what_has_none_is_passed_over(tmp_path):
    (tmp_path / "processor_config.json").write_text(json.dumps({"video_processor": {"do_normalize": False}, "x": 1}))
    assert list(read_settings(tmp_path).values()) == [{"do_normalize": False}]
    (tmp_path / "processor_config.json").write_text(json.dumps({"x": 1}))
    assert read_settings(tmp_path) == {}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor": {"a": 1}}))
    assert list(read_settings(tmp_path).values()) == [{"a": 1}]
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json: not valid JSON"):
        read_settings(tmp_path)
