"""The recipes of the five papers, as the configs have them, for 20 steps on small pictures and clips."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from vidtok.cli import train
from vidtok.config_io import load_config
from vidtok.train.checkpoint import find_checkpoint
from vidtok.train.opening import load_checkpoint

SMALL_VIT = ["model.width=24", "model.depth=2", "model.heads=2", "model.tubelet=[1, 8, 8]"]
RECIPES = {
    "k400_vivit_b16x2": [
        *("data.frames=4", "data.stride=1", "data.size=32", "data.short_side=36", "data.scale_jitter=[33.0, 44.0]"),
        *("model.width=24", "model.depth=2", "model.heads=2", "model.tubelet=[2, 8, 8]"),
    ],
    "in1k_vit_b16_tl16": ["data.size=32", "data.short_side=36", *SMALL_VIT, "model.token_learner.after_block=1"],
    "in1k_stvit_s": [
        *("data.size=32", "data.short_side=36", "model.widths=[8, 16, 16, 16]", "model.depths=[1, 1, 1, 1]"),
        *("model.heads=[1, 2, 2, 2]", "model.cells=[[1, 4, 4], [1, 2, 2], [1, 1, 1], [1, 1, 1]]"),
        *("model.projection=32", "train.min_lr=1e-7", "train.batch=9"),
    ],
    "in1k_maxvit_t": [
        *("data.size=32", "data.short_side=36", "model.stem=8", "model.widths=[8, 8, 16, 16]"),
        *("model.depths=[1, 1, 1, 1]", "model.head_width=8", "model.window=[1, 1, 1]"),
    ],
    "in1k_casvit_xs": [
        *("data.size=32", "data.short_side=36", "data.sizes=[32, 48]"),
        *("model.widths=[8, 8, 12, 16]", "model.depths=[1, 1, 1, 1]"),
    ],
}
"""What makes each small enough. Everything that is not named here is the config's own."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sixteen pictures of noise in two classes, one of them red, for training and for validation."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, name in (("train", "grey"), ("train", "red"), ("val", "grey"), ("val", "red")):
        (folder / split / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 256, (40, 48, 3))
            pixels[:, :, 1:] //= 4 if name == "red" else 1
            Image.fromarray(pixels.astype(np.uint8)).save(folder / split / name / f"{i}.png")
    return folder


def arguments(name, data, run):
    changes = [f"run.dir={run}", "data.workers=0", "eval.every=20", "eval.after_train=false", "eval.batch=8"]
    changes += ["train.steps=20", "train.batch=8", "train.warmup_steps=4", "train.log_every=1", "train.save_every=20"]
    if name.startswith("k400"):
        changes += [f"data.{key}={data / key}.csv" for key in ("train", "val")] + [f"data.classes={data}/classes.txt"]
    else:
        changes += [f"data.train={data / 'train'}", f"data.val={data / 'val'}"]
    return ["--cfg", f"configs/{name}.yaml", *changes, *RECIPES[name]]


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs(name, motion, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    _, cfg, *changes = arguments(name, motion if name.startswith("k400") else pictures, tmp_path / "run")
    assert train.run(["--cfg", cfg, *changes]) == 0
    config, said = load_config(cfg, changes), capsys.readouterr().out
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "train"]
    assert [step["step"] for step in steps] == list(range(1, 21))
    assert all(np.isfinite(step["loss"]) for step in steps)
    assert [event["step"] for event in events if event["event"] == "val"] == [20]
    checkpoint = load_checkpoint(find_checkpoint(tmp_path / "run"))
    assert bool(checkpoint.ema) == (config.train.ema_decay is not None)
    assert ("learning rate: 0.0005 for 512 clips per step is 8.78906e-06 for 9" in said) == (name == "in1k_stvit_s")
    highest, lowest = max(step["lr"] for step in steps), steps[-1]["lr"]
    assert lowest < highest / 10
    assert lowest >= config.train.min_lr


def test_the_parts_of_the_recipes_are_those_of_the_papers():
    recipes = {name: load_config(ROOT / "configs" / f"{name}.yaml").train for name in RECIPES}
    vivit, tokens, stvit, maxvit, casvit = recipes.values()
    assert (vivit.optimizer, vivit.lr, vivit.momentum, vivit.weight_decay) == ("momentum", 0.1, 0.9, 0.0)
    assert (vivit.clip_norm, vivit.label_smoothing, vivit.batch) == (1.0, 0.0, 64)
    assert (tokens.schedule, tokens.min_lr, tokens.head_bias, tokens.over_classes) == ("linear", 1e-5, -10.0, "sum")
    assert (tokens.lr, tokens.weight_decay, tokens.batch, tokens.clip_norm) == (5e-3, 0.3, 4096, 1.0)
    assert stvit.lr * stvit.batch / (stvit.lr_batch or 0) == pytest.approx(1e-3, rel=1e-3)
    assert (stvit.min_lr, stvit.ema_decay) == (1e-5, 0.99996)
    assert (stvit.mixup_alpha, stvit.cutmix_alpha, stvit.label_smoothing, stvit.clip_norm) == (0.8, 1.0, 0.1, None)
    assert (maxvit.lr, maxvit.ema_decay, maxvit.mixup_alpha, maxvit.clip_norm) == (3e-3, 0.9999, 0.8, 1.0)
    assert (casvit.lr, casvit.min_lr, casvit.ema_decay, casvit.batch) == (6e-3, 1e-6, 0.9995, 2048)
    assert (casvit.mixup_alpha, casvit.cutmix_alpha, casvit.label_smoothing) == (0.0, 0.0, 0.1)
    assert all(settings.weight_decay == 0.05 for settings in (stvit, maxvit, casvit))
