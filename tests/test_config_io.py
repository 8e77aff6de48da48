"""Reading configs: YAML without traps, overrides, every problem at once, and a resolved file that reads back."""

import importlib
import sys

import pytest

from vidtok.config_io import difference, load_config, load_config_text, to_yaml
from vidtok.errors import ConfigError
from vidtok.models.options import typed_options
from vidtok.models.presets import network_and_options
from vidtok.nn.token_learner import TokenLearnerOptions

TEXT = """
data: {train: a.csv, val: b.csv, classes: c.txt, frames: 8, stride: 2, size: 32, short_side: 40, flip: false}
model:
  name: vivit
  tubelet: [2, 8, 8]
  width: 32
  depth: 4
  heads: 4
  mixer: {name: mhsa, axes: joint}
  token_learner: {after_block: 2, tokens: 4}
train: {steps: 10, batch: 4, lr: 1e-3}
"""


def load(*overrides, text=TEXT):
    return load_config_text(text, overrides, source="test.yaml")


def problems(*overrides, text=TEXT):
    with pytest.raises(ConfigError) as error:
        load(*overrides, text=text)
    return str(error.value)


def test_numbers_lists_and_words_mean_what_they_say():
    config = load("run.dir=on", "train.weight_decay=5E-2", "data.scale=[0.5, 1]", "train.clip_norm=null")
    assert config.train.lr == 1e-3
    assert config.run.dir == "on"
    assert config.train.weight_decay == 0.05
    assert config.data.scale == (0.5, 1.0)
    assert config.train.clip_norm is None


def test_whole_numbers_are_decimal_and_a_folder_may_be_called_by_digits():
    config = load("data.frames=+16", "data.root=010", "run.dir=1:30", "data.stride=0x10", "data.stride=3")
    assert (config.data.frames, config.data.stride) == (16, 3)
    assert (config.data.root, config.run.dir) == ("010", "1:30")


def test_text_that_looks_like_a_number_is_text_again_when_it_is_read_back():
    names = ("010", "1e5", "1e-3", "1:30", "on", "0x1F", "7", ".5", "null", "2020-01-01", "1_000", "true")
    for name in names:
        config = load(f"data.root='{name}'", f"eval.opposites=[['{name}', b]]")
        assert config.data.root == name
        assert load_config_text(to_yaml(config), source="again") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.flip=on", "data.flip: input should be a valid boolean, got 'on'"),
        ("data.frames=8.0", "data.frames: input should be a valid integer, got 8.0"),
        ("data.frames='8'", "data.frames: input should be a valid integer, got '8'"),
        ("train.lr=fast", "train.lr: input should be a valid number, got 'fast'"),
        ("data.frames=010", "data.frames: input should be a valid integer, got '010'"),
        ("data.frames=0x10", "data.frames: input should be a valid integer, got '0x10'"),
        ("data.frames=0b1", "data.frames: input should be a valid integer, got '0b1'"),
        ("data.stride=1:30", "data.stride: input should be a valid integer, got '1:30'"),
        ("train.lr=1:30.5", "train.lr: input should be a valid number, got '1:30.5'"),
        ("train.steps=1_000", "train.steps: input should be a valid integer, got '1_000'"),
        ("train.epochs=3", "train: steps or epochs says how long the run is, and both are given"),
        ("train.steps=null", "train: steps or epochs says how long the run is, and neither is given"),
        ("eval.patience=3", "eval: patience 3 counts validations: set every"),
        ("train.class_weights={a: -1}", "train.class_weights"),
        ("train.steps=0", "train.steps: input should be greater than or equal to 1, got 0"),
        ("train.precision=fp8", "'float32', 'bf16' or 'fp16', got 'fp8'"),
        ("train.lr=.inf", "train.lr: input should be a finite number"),
        ("run.dri=x", "run.dri: unknown key; did you mean 'dir'?"),
        ("trian.lr=1", "trian: unknown key; did you mean 'train'?"),
        ("model.name=vivitt", "model.name: there is no model 'vivitt', did you mean 'vivit' or "),
        ("model.widht=3", "model.widht: unknown key; did you mean 'width'?"),
        ("model.classes=3", "model.classes: unknown key"),
        ("train.learning_rate=1", "train.learning_rate: unknown key; did you mean 'lr'?"),
        ("train.batch_size=1", "train.batch_size: unknown key; did you mean 'batch'?"),
        ("train.warmup=1", "train.warmup: unknown key; did you mean 'warmup_steps'?"),
        ("train.max_epochs=1", "train.max_epochs: unknown key; did you mean 'epochs'?"),
        ("train.seed=1", "train.seed: unknown key; did you mean 'run.seed'?"),
        ("data.batch_size=1", "data.batch_size: unknown key; did you mean 'train.batch'?"),
        ("learning_rate=1", "learning_rate: unknown key; did you mean 'train.lr'?"),
        ("data.crop_size=1", "data.crop_size: unknown key; did you mean 'size'?"),
        ("model.num_heads=1", "model.num_heads: unknown key; did you mean 'heads'?"),
        ("eval.videos_per_batch=1", "eval.videos_per_batch: unknown key; did you mean 'batch'?"),
        ("train.clip=1", "train.clip: unknown key; did you mean 'clip_norm'?"),
        ("data.min_short_side=1", "data.min_short_side: unknown key; did you mean 'short_side'?"),
        ("train.zzz=1", "train.zzz: unknown key; known: steps"),
        ("model.depth=two", "model.depth: input should be a valid integer, got 'two'"),
        ("model.token_learner.tokns=3", "model.token_learner.tokns: unknown key; did you mean 'tokens'?"),
        ("model.mixer.name=mhs", "model.mixer.name: there is no mixer 'mhs'; did you mean 'mhsa'?"),
        ("model.mixer.axes=jont", "model.mixer.axes: input should be 'joint', 'space', 'time' or 'split', got 'jont'"),
        ("model.mixer.axis=joint", "model.mixer.axis: unknown key; did you mean 'axes'?"),
        ("model.token_mixer={axes: joint}", "model.token_mixer.name: missing"),
        ("model.mixer=[{name: mhsa}, {name: mhsa, axes: 3}]", "model.mixer.1.axes: "),
        ("plugins=[no_such_module_here]", "plugins: 'no_such_module_here' cannot be imported"),
        ("data.short_side=16", "data: short_side 16 must be at least size 32"),
        ("data.scale=[0.9, 0.1]", "data: scale is a range from low to high within 0 to 1, got [0.9, 0.1]"),
        ("train.lr", "write it as key.sub=value"),
        ("train.lr.x=3", "train.lr is no section"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(override, message):
    assert message in problems(override)


def test_all_problems_come_together():
    text = problems("run.sead=1", "data.frames=x", "train.lr=-1", "model.depht=1", "model.mixer.name=none")
    assert text.startswith("test.yaml: 5 problems\n")
    assert len(text.splitlines()) == 6


def test_what_is_missing_is_told():
    assert "neither is given" in problems(text=TEXT.replace("steps: 10, ", ""))
    assert "model: missing" in problems(
        text="\n".join(TEXT.splitlines()[:2]) + "\ntrain: {steps: 1, batch: 1, lr: 1.0}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + "train: {steps: 3}", r"test.yaml:11: the key 'train' stands more than once"),
        ("a: [1", "not valid YAML"),
        ("- a\n- b", "a config is a mapping"),
        (TEXT + "1: x", "keys are text, got 1"),
    ],
)
def test_broken_yaml_is_told_with_its_line(text, message):
    with pytest.raises(ConfigError, match=message):
        load(text=text)


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "there.yaml").touch()
    with pytest.raises(ConfigError, match=r"no such config file.*there.yaml"):
        load_config(tmp_path / "here.yaml")


def test_the_folder_of_a_run_has_the_name_of_its_config(tmp_path):
    (tmp_path / "my_run.yaml").write_text(TEXT)
    assert load_config(tmp_path / "my_run.yaml").run.dir == "runs/my_run"
    assert load_config(tmp_path / "my_run.yaml", ["run.dir=x"]).run.dir == "x"


def test_options_of_the_network_have_its_types():
    options = typed_options(*network_and_options(load("model.mixer=[{name: super_token, cells: [1, 2, 2]}]").model))
    assert options["tubelet"] == (2, 8, 8)
    assert options["token_learner"] == TokenLearnerOptions(after_block=2, tokens=4)
    assert options["mixer"] == [{"name": "super_token", "cells": (1, 2, 2)}]
    assert "norm_eps" not in options


def test_the_resolved_file_reads_back_equal():
    config = load("train.lr=3e-5", "model.token_mixer={name: mhsa, qkv_bias: none}", "run.dir='runs/é: #'")
    again = load_config_text(to_yaml(config), source="resolved")
    assert again == config
    assert difference(config, again) == []


def test_differences_are_shown_and_some_ignored():
    one, other = load(), load("train.lr=2e-3", "run.dir=b", "model.width=64")
    assert difference(one, other, ignore=("run.dir",)) == ["model.width: 32 | 64", "train.lr: 0.001 | 0.002"]
    assert difference(one, other, ignore=("run", "model")) == ["train.lr: 0.001 | 0.002"]


def test_a_plugin_is_imported_before_its_mixer_is_looked_up(tmp_path, monkeypatch):
    (tmp_path / "my_mixer_plugin.py").write_text(
        "import torch\nfrom vidtok.nn.mixers import register\n\n"
        "@register('my_identity')\nclass Mine(torch.nn.Identity):\n    needs_grid = False\n"
        "    def __init__(self, width, *, heads=1, strength: float = 1.0):\n        super().__init__()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = load("plugins=[my_mixer_plugin]", "model.mixer={name: my_identity, strength: 2}")
    assert typed_options(*network_and_options(config.model))["mixer"] == {"name": "my_identity", "strength": 2.0}
    from vidtok.nn.mixers import MIXERS

    MIXERS.pop("my_identity")


@pytest.fixture
def tattling(tmp_path, monkeypatch):
    """A module that leaves a file where it is imported; its name, and whether it was."""
    (tmp_path / "tattling_plugin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "tattling_plugin", (tmp_path / "ran").exists
    sys.modules.pop("tattling_plugin", None)


def test_a_text_from_elsewhere_imports_nothing(tattling):
    name, ran = tattling
    text = f"{TEXT}\nplugins: [{name}]\n"
    with pytest.raises(ConfigError, match=rf"test.yaml: it names the plugin '{name}', .* --allow-plugins"):
        load(text=text)
    assert not ran()
    # Nor does an override of something else allow it.
    with pytest.raises(ConfigError, match="it names the plugin"):
        load("run.dir=plugins", text=text)
    assert not ran()
    load("plugins=[]", text=text)
    assert not ran()


@pytest.mark.parametrize("how", ["a file of one's own", "an override", "permission", "imported before"])
def test_a_plugin_is_imported_where_the_user_says_so(how, tattling, tmp_path):
    name, ran = tattling
    text = f"{TEXT}\nplugins: [{name}]\n"
    if how == "a file of one's own":
        (tmp_path / "own.yaml").write_text(text)
        load_config(tmp_path / "own.yaml")
    elif how == "an override":
        load(f"plugins=[{name}]")
    elif how == "permission":
        load_config_text(text, source="test.yaml", allow_plugins=True)
    else:
        importlib.import_module(name)
        assert load(text=text).plugins == (name,)
    assert ran()


def test_every_key_has_its_manual():
    from vidtok.config import Config
    from vidtok.config_section import Section

    for section in {*Section.__subclasses__()} - {Config}:
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name} has no docstring"
    assert Config.model_fields["plugins"].description


def test_a_shipped_config_goes_by_its_name_with_or_without_folder_and_ending(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ["k400_vivit_tl8", "k400_vivit_tl8.yaml", "configs/k400_vivit_tl8", "configs/k400_vivit_tl8.yaml"]
    configs = [load_config(name) for name in names]
    assert all(config == configs[0] for config in configs)
    assert configs[0].run.dir == "runs/k400_vivit_tl8"
    for name in ("mine/k400_vivit_tl8.yaml", "configs_/k400_vivit_tl8.yaml"):
        with pytest.raises(ConfigError, match=rf"{name}: no such config file"):
            load_config(name)
