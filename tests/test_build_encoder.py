"""Encoders in the ordinary trainer: found by the words of `fit --encoder`, frozen or trained in their last blocks."""

from pathlib import Path

import pytest
import torch

import vidtok
from tests.building import config
from tests.conftest import called, small_run
from tests.models.transformers_tiny import saved_in
from tests.runs.own_clips import encoder_file
from tests.runs.small_encoder import MEAN, STD, small_encoder
from vidtok.build import build_model
from vidtok.build_encoder import encoder_in, encoder_source, network_plan, open_encoder, start_encoder
from vidtok.build_train import start_source, start_weights
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.encoder_vivit import EncoderViViT
from vidtok.train.opening import load_checkpoint

WEIGHTS = ("data.mean=weights", "data.std=weights")
BEHIND = {"width": 24, "depth": 1, "heads": 2}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return small_encoder(tmp_path_factory.mktemp("fitted"))


def model_of(encoder: Path, **options) -> str:
    words = ", ".join(f"{key}: {'null' if value is None else value}" for key, value in options.items())
    return f"model={{encoder: {encoder}, {words}}}"


def test_a_name_of_timm_s_needs_no_weights_and_others_give_their_plan(tmp_path, encoder):
    file = tmp_path / "none.pth"
    assert network_plan({"name": "encoder", "encoder": f"resnet18={file}", "summary": "maps"}) == (
        "encoder",
        {"encoder": "resnet18", "summary": "maps"},
    )
    assert encoder_source({"name": "vivit", "encoder": "resnet18"}) is None
    assert encoder_source({"name": "encoder_vivit"}) == "tf_efficientnet_lite0"
    fitted = {"network": "encoder", "options": {"encoder": "test_efficientnet"}}
    assert network_plan({"name": "encoder_vivit", "encoder": str(encoder), **BEHIND}) == (
        "encoder_vivit",
        {**BEHIND, "encoder": fitted},
    )
    assert network_plan({"name": "encoder_vivit", "encoder": fitted}) == ("encoder_vivit", {"encoder": fitted})
    saved_in(tmp_path / "clip", "CLIP")
    name, options = network_plan({"name": "encoder", "encoder": str(tmp_path / "clip"), "trained_blocks": 1})
    assert (name, options["config"]["model_type"], options["trained_blocks"]) == (
        "transformers",
        "clip_vision_model",
        1,
    )


def test_weights_bring_their_pixels_and_other_pixels_are_refused(motion, encoder):
    settings = config(motion, model_of(encoder, name="encoder_vivit", **BEHIND), *WEIGHTS)
    model = build_model(settings, "abcdefgh")
    report = start_weights(settings, model, str(start_source(settings)))
    state = open_encoder(str(encoder)).state
    assert all(torch.equal(value, state[key]) for key, value in encoder_in(model).body.state_dict().items())
    assert model.normalisation == (MEAN, STD)
    assert report.missing
    assert not any(name.startswith("encoder.") for name in report.missing)
    assert {"enter.0.weight", "head.logits.bias"} <= {*report.missing}
    for wrong, words in (
        (
            ("data.size=48", "data.short_side=48", *WEIGHTS),
            r"data\.size=48: .* pictures of 32 x 32 pixels; set data\.size=32",
        ),
        ((), r"data\.mean=\[0\.5, 0\.5, 0\.5\]: .* set data\.mean=weights and data\.std=weights"),
    ):
        other = config(motion, model_of(encoder, name="encoder", summary="mean"), *wrong)
        with pytest.raises(ConfigError, match=words):
            start_encoder(other, build_model(other, "abcdefgh"), str(encoder))


def test_a_file_under_timm_s_names_and_what_is_no_encoder(tmp_path, motion):
    source = f"test_efficientnet={encoder_file(tmp_path / 'weights.safetensors')}"
    settings = config(motion, model_of(source, name="encoder"), "data.size=224", "data.short_side=224", *WEIGHTS)
    model = build_model(settings, "abcdefgh")
    start_encoder(settings, model, source)
    assert model.normalisation[0] != (0.5, 0.5, 0.5)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        open_encoder(str(tmp_path))


def run_of(motion, run, encoder, *, trained_blocks: int) -> list[str]:
    arguments = [word for word in small_run(motion, run) if not word.startswith("model.")]
    behind = model_of(encoder, name="encoder_vivit", **BEHIND, trained_blocks=trained_blocks)
    return [*arguments, behind, *WEIGHTS, "data.frames=2", "train.steps=2", "train.warmup_steps=0", "data.workers=0"]


def test_a_run_trains_what_it_should_and_needs_its_encoder_no_more(motion, tmp_path, encoder):
    before = open_encoder(str(encoder)).state
    here = tmp_path / "encoder"
    here.symlink_to(encoder, target_is_directory=True)
    arguments = run_of(motion, tmp_path / "run", here, trained_blocks=1)
    done = called("train", *arguments)
    assert done.returncode == 0, done.stderr
    assert "frozen: all but " in done.stdout
    here.unlink()
    model = vidtok.load(tmp_path / "run")
    assert isinstance(model.network, EncoderViViT)
    assert model.network.trained_blocks == 1
    assert model.normalisation[0] == MEAN
    after = model.network.encoder.body.state_dict()
    changed = {".".join(name.split(".")[:2]) for name in before if not torch.equal(before[name], after[name])}
    last = f"blocks.{len(model.network.encoder.blocks) - 1}"
    assert {last, "conv_head.weight"} <= changed
    assert all(name.startswith((last, "conv_head.", "bn2.")) for name in changed)
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "step_00000002.pt")
    assert checkpoint.description["model"]["options"]["encoder"]["network"] == "encoder"
    words = ["--cfg", tmp_path / "run" / "config.yaml", "--checkpoint", tmp_path / "run"]
    tested = called("test", *words, "eval.clips=1", "eval.crops=1")
    assert tested.returncode == 0, tested.stderr
