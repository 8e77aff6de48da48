"""A trained model from a run, a checkpoint, a saved folder, a file and the hub."""

import random
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.building import config, described_run, same_weights, saved_run
from vidtok.build import build_model
from vidtok.build_train import init_weights
from vidtok.cli.convert import run as convert
from vidtok.config_io import to_yaml
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.runs.test import open_checkpoint
from vidtok.train.checkpoint import Checkpoint, save_checkpoint


def test_a_trained_model_is_loaded_from_its_run_and_from_where_it_was_saved(motion, tmp_path):
    model = saved_run(config(motion), tmp_path / "run")
    for path in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "step_00000005.pt"):
        loaded = load_model(path)
        assert same_weights(model, loaded)
        assert (loaded.classes, loaded.training) == (tuple("abcdefgh"), False)
    loaded.save_pretrained(tmp_path / "saved")
    assert same_weights(model, load_model(tmp_path / "saved"))
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        load_model(tmp_path / "none")


def test_every_way_to_load_gives_the_model_and_how_it_was_fed(motion, tmp_path):
    settings = config(motion, "data.std=[0.25, 0.5, 0.75]", "data.target_fps=10.0", "train.loss=sigmoid")
    model = described_run(settings, tmp_path / "run")
    model.save_pretrained(tmp_path / "saved")
    data = settings.data
    feeding = Feeding(
        stride=data.stride, target_fps=10.0, short_side=data.short_side, short=data.short, scores="sigmoid"
    )
    ways = ("run", "run/checkpoints", "run/checkpoints/step_00000005.pt", "saved", "saved/model.safetensors")

    def generators():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    for way in ways:
        states = generators()
        loaded = load_model(tmp_path / way)
        assert generators() == states, way  # checks of types draw from Python's own, so it is looked at first
        assert same_weights(model, loaded), way
        assert (loaded.training, loaded.feeding, loaded.normalisation) == (False, feeding, model.normalisation), way
        assert loaded.architecture == model.architecture
        states = generators()
        other = load_model(tmp_path / way, classes=["jump", "run"])
        assert generators() == states, way
        assert (other.classes, other.training, other.feeding) == (("jump", "run"), False, feeding)
        assert not other.network.head.logits.weight.any()
        assert torch.equal(other.network.tokenizer.projection.weight, model.network.tokenizer.projection.weight)
        assert load_model(tmp_path / way, classes=8).classes == tuple("abcdefgh")


def test_loading_says_what_it_cannot_load(motion, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "strange.safetensors")
    with pytest.raises(CheckpointError, match=r"strange.safetensors: weights that do not say which model"):
        load_model(tmp_path / "strange.safetensors")
    described_run(config(motion), tmp_path / "run")
    with pytest.raises(CheckpointError, match="revision='v1' is of a model on the hub"):
        load_model(tmp_path / "run", revision="v1")
    with pytest.raises(ModelError, match="at least one, got 0"):
        load_model(tmp_path / "run", classes=0)


def test_a_model_comes_from_the_hub_by_its_id(motion, tmp_path, monkeypatch):
    model = described_run(config(motion), tmp_path / "run")
    asked = []

    def from_pretrained(source, *, revision=None):
        asked.append((source, revision))
        return model

    monkeypatch.setattr(Classifier, "from_pretrained", from_pretrained)
    monkeypatch.chdir(tmp_path)
    assert load_model("someone/model", revision="v1").network is model.network
    assert load_model("some-one/model.v2").network is model.network
    assert asked == [("someone/model", "v1"), ("some-one/model.v2", None)]
    for path in ("checkpoints/none.pt", "none", "a/b/c", "none/weights.safetensors", str(tmp_path / "none")):
        with pytest.raises(CheckpointError, match="no such checkpoint file"):
            load_model(path)
    assert len(asked) == 2


def test_a_checkpoint_runs_no_code(motion, tmp_path, monkeypatch):
    (tmp_path / "evil_plugin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = config(motion)
    told = to_yaml(settings).replace("plugins: []", "plugins: [evil_plugin]")
    assert "evil_plugin" in told
    described_run(settings, tmp_path / "new", config=told)
    described_run(settings, tmp_path / "old", config=told, description={})
    checkpoint, described = (tmp_path / name / "checkpoints" / "step_00000005.pt" for name in ("old", "new"))
    load_model(tmp_path / "new")
    init_weights(build_model(settings, "abcdefgh"), str(tmp_path / "old"))
    create_model("vivit", weights=described)
    assert convert([str(described), "--to", "x.safetensors", "--model", "vivit"]) == 0
    for opened in (lambda: load_model(tmp_path / "old"), lambda: open_checkpoint(str(checkpoint), None, [])):
        with pytest.raises(ConfigError, match="it names the plugin 'evil_plugin'"):
            opened()
    assert not (tmp_path / "ran").exists()
    assert open_checkpoint(str(checkpoint), None, ["plugins=[]"])[1].plugins == ()
    assert not (tmp_path / "ran").exists()
    load_model(tmp_path / "old", allow_plugins=True)
    assert (tmp_path / "ran").exists()
    sys.modules.pop("evil_plugin")


def test_a_run_with_averages_is_used_by_its_averages(motion, tmp_path):
    settings = config(motion, "train.ema_decay=0.9")
    model = build_model(settings, "abcdefgh")
    averages = {name: value + 1 for name, value in model.state_dict().items()}
    state = Checkpoint(
        step=5,
        model=model.state_dict(),
        optimizer={},
        config=to_yaml(settings),
        classes=tuple("abcdefgh"),
        bad={},
        ema=averages,
    )
    save_checkpoint(state, tmp_path / "run" / "checkpoints")
    other = build_model(config(motion, "run.seed=9"), "abcdefgh")
    init_weights(other, str(tmp_path / "run"))
    for found in (load_model(tmp_path / "run"), other):
        assert all(torch.equal(value, averages[name]) for name, value in found.state_dict().items())


def test_a_run_of_fit_gives_the_model_in_it(tmp_path):
    model = create_model("vivit", classes=["a", "b"], frames=2, size=16, tubelet=(2, 8, 8), width=8, depth=1, heads=1)
    model.save_pretrained(tmp_path / "own" / "model")
    assert same_weights(model, load_model(tmp_path / "own"))
