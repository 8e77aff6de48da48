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
from vidtok.models.own_encoder import OwnEncoder
from vidtok.models.transformers_encoder import TransformersEncoder
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit import run_fit

VIVIT = {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=3)
    saved_in(folder / "xclip", "X-CLIP")
    return folder


def test_fit_takes_a_folder_of_transformers_and_then_its_own_run(desk, capsys):
    """Frames are as many as the encoder was built for; the model that is saved needs neither folder nor run."""
    with pytest.raises(ConfigError, match="--frames 4: xclip was built for clips of 3 frames; leave it out"):
        run_fit(desk / "clips", out=desk / "run", encoder=str(desk / "xclip"), frames=4)
    arguments = [str(desk / "clips"), "--group", r"/(p\d)_", "--folds", "2"]
    assert fit.run([*arguments, "--out", str(desk / "run"), "--encoder", str(desk / "xclip")]) == 0
    told = json.loads((desk / "run" / "fit.json").read_text("utf-8"))
    assert " | xclip, " in told["line"]
    assert f"encoder: xclip, from {desk / 'xclip'} (X-CLIP, licence: not stated)" in capsys.readouterr().out
    (desk / "xclip").rename(desk / "elsewhere")
    model = vidtok.load(desk / "run" / "model")
    assert isinstance(model.network, TransformersEncoder)
    assert (model.network.clip, model.normalisation[0]) == ((3, 16, 16), (0.1, 0.2, 0.3))
    again = choose_encoder(str(desk / "run"))
    assert (again.name, again.network, again.frames, again.size) == ("run", "transformers", 3, 16)
    state = model.network.body.state_dict()
    assert all(torch.equal(state[key], value) for key, value in again.state.items())


def test_fit_takes_a_saved_model_of_vidtok(desk):
    torch.manual_seed(0)
    plan = Architecture(network="vivit", options=VIVIT, frames=4, size=(16, 24))
    grey = (0.5, 0.5, 0.5)
    network = plan.build(classes=7)
    names = tuple(f"n{k}" for k in range(7))
    Classifier(network, mean=grey, std=grey, classes=names, architecture=plan).save_pretrained(desk / "mine")
    result = run_fit(desk / "clips", out=desk / "own", encoder=str(desk / "mine"), folds=2)
    assert " | mine, " in result.line
    fitted = vidtok.load(desk / "own" / "model")
    assert isinstance(fitted.network, OwnEncoder)
    assert fitted.network.clip == (4, 16, 24)
    assert torch.equal(
        fitted.network.body.state_dict()["encoder.position.table"], network.state_dict()["encoder.position.table"]
    )


def test_names_files_and_the_default_are_find_encoder_s(desk):
    file = encoder_file(desk / "encoder.safetensors")
    assert choose_encoder(f"test_efficientnet={file}").options == {"encoder": "test_efficientnet"}
    (desk / "empty").mkdir(exist_ok=True)
    with pytest.raises(CheckpointError, match="empty"):
        choose_encoder(str(desk / "empty"))
