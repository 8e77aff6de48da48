"""`fit` on encoders of every origin: a folder of transformers, a run of fit, a saved model, a checkpoint."""

import json
from pathlib import Path

import pytest
import torch

import vidtok
from tests.models.transformers_tiny import saved_in
from tests.runs.own_clips import encoder_file, own_clips
from vidtok.cli import fit
from vidtok.errors import CheckpointError, ConfigError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.transformers_encoder import TransformersEncoder
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit import run_fit
from vidtok.runs.fit_model import encoder_model

VIVIT = {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=3)
    saved_in(folder / "xclip", "X-CLIP")
    return folder


def test_frames_that_the_encoder_was_not_built_for_are_refused(desk):
    with pytest.raises(ConfigError, match="`frames`=4: xclip was built for clips of 3 frames; leave it out"):
        run_fit(desk / "clips", out=desk / "none", encoder=str(desk / "xclip"), frames=4)


def test_a_run_of_fit_gives_its_encoder(desk, tmp_path):
    weights = choose_encoder(str(desk / "xclip"))
    assert (weights.name, weights.frames) == ("xclip", 3)
    encoder_model(weights, ("a", "b"), summary="maps", frames=3, kind="softmax").save_pretrained(tmp_path / "model")
    again = choose_encoder(str(tmp_path))
    assert (again.name, again.network, again.frames, again.size) == (tmp_path.name, "transformers", 3, 16)
    assert (again.mean, again.std, again.options) == (weights.mean, weights.std, weights.options)
    assert again.state.keys() == weights.state.keys()
    assert all(torch.equal(again.state[key], value) for key, value in weights.state.items())


def test_a_saved_model_of_vidtok_gives_its_encoder(tmp_path):
    torch.manual_seed(0)
    plan = Architecture(network="vivit", options=VIVIT, frames=4, size=(16, 24))
    network, grey = plan.build(classes=7), (0.5, 0.5, 0.5)
    names = tuple(f"n{k}" for k in range(7))
    Classifier(network, mean=grey, std=grey, classes=names, architecture=plan).save_pretrained(tmp_path / "mine")
    weights = choose_encoder(str(tmp_path / "mine"))
    assert (weights.name, weights.network, weights.clip_frames(None)) == ("mine", "own", 4)
    model = encoder_model(weights, ("a", "b"), summary="mean", frames=4, kind="softmax")
    table = "encoder.position.table"
    assert torch.equal(model.network.body.state_dict()[table], network.state_dict()[table])


@pytest.mark.slow
def test_fit_takes_a_folder_of_transformers(desk, capsys):
    """The model that is saved needs the folder no more."""
    arguments = [str(desk / "clips"), "--group", r"/(p\d)_", "--out", str(desk / "run")]
    assert fit.run([*arguments, "--encoder", str(desk / "xclip")]) == 0
    told = json.loads((desk / "run" / "fit.json").read_text("utf-8"))
    assert " | xclip, " in told["line"]
    assert f"encoder: xclip, from {desk / 'xclip'} (X-CLIP, licence: not stated)" in capsys.readouterr().out
    (desk / "xclip").rename(desk / "elsewhere")
    model = vidtok.load(desk / "run" / "model")
    assert isinstance(model.network, TransformersEncoder)
    assert (model.network.clip, model.normalisation[0]) == ((3, 16, 16), (0.1, 0.2, 0.3))


def test_names_files_and_the_default_are_find_encoder_s(desk):
    file = encoder_file(desk / "encoder.safetensors")
    assert choose_encoder(f"test_efficientnet={file}").options == {"encoder": "test_efficientnet"}
    (desk / "empty").mkdir(exist_ok=True)
    with pytest.raises(CheckpointError, match="empty"):
        choose_encoder(str(desk / "empty"))
