"""Fit with fine-tuning: what is trained, from which start, and that none learns from what it is measured on."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

import vidtok
from tests.building import ALONE
from tests.runs.own_clips import own_clips
from tests.runs.small_encoder import small_encoder
from vidtok.cli import fit
from vidtok.config_io import load_config
from vidtok.data.records import Records
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs import fit as runs_fit
from vidtok.runs.fit_tune import TuneRecipe, Tuning
from vidtok.train.nested import Videos


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Path:
    """A run of `fit --finetune once` on few clips, two epochs."""
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=3)
    small_encoder(folder / "encoder")
    words = [str(folder / "clips"), "--out", str(folder / "run"), "--encoder", str(folder / "encoder")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_fit, "Tuning", partial(Tuning, recipe=TuneRecipe(epochs=2, blocks=1, rate=1e-3)))
        assert fit.run([*words, "--group", r"/(p\d)_", "--frames", "2", "--finetune", "once"]) == 0
    return folder


@pytest.mark.slow
def test_one_fold_is_left_out_and_said_so(tuned):
    told = json.loads((tuned / "run" / "fit.json").read_text("utf-8"))
    assert "(1 of 3 folds, 3 videos) | one frame " in told["line"]
    assert ", fine-tuned | " in told["line"]
    assert len(told["videos"]) == 3
    assert len({video["group"] for video in told["videos"]}) == 1
    right = [video["predicted"] == Path(video["video"]).parent.name for video in told["videos"]]
    assert sum(right) / 3 == pytest.approx(told["plain"])
    assert told["half"] is None


@pytest.mark.slow
def test_a_fold_s_videos_are_not_trained_on(tuned):
    said = {name: (tuned / "run" / "tune" / name / "output.txt").read_text("utf-8") for name in ("fold_1", "all")}
    assert "train 6, val 3 videos" in said["fold_1"]
    assert "2 epochs of 9 videos are" in said["all"]
    assert not (tuned / "run" / "tune" / "fold_2").exists()
    assert not list((tuned / "run" / "tune").rglob("*.pt"))


@pytest.mark.slow
def test_the_last_block_moves_from_the_linear_probe_s_start(tuned):
    start = load_model(tuned / "run" / "tune" / "all" / "start")
    model = vidtok.load(tuned / "run" / "model")
    assert model.feeding is not None
    assert (model.feeding.sampling, model.feeding.fit, model.feeding.short_side) == ("segments", "pad", 32)
    assert model.feeding.video_seconds == pytest.approx(0.8)
    before, after = start.network.state_dict(), model.network.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert "head.weight" in moved
    assert any(name.startswith("body.blocks.4.") for name in moved)
    assert not any(name.startswith(("body.conv_stem", "body.bn1", "body.blocks.3.")) for name in moved)
    assert not any("running_" in name for name in moved), "batches of a few clips have no statistics to go by"
    assert (after["head.weight"] - before["head.weight"]).abs().max() < 0.1
    assert before["head.weight"].any(), "the probe's"
    assert model.predict(tuned / "clips" / "red" / "p0_0.mp4").top(1)
    config = load_config(tuned / "run" / "tune" / "all" / "config.yaml")
    assert (config.train.layer_decay, config.train.batch_norm, config.model["trained_blocks"]) == (0.75, "frozen", 1)


def test_every_fold_is_left_out_once_and_models_start_without_it(monkeypatch, capsys, tmp_path):
    videos = Videos(labels=[(0,), (1,)] * 3, groups=list(range(6)), folds=[0, 0, 1, 1, 2, 2], classes=2)
    model, started, asked = object.__new__(Classifier), [], []

    def tuned(self, start, rows, left, parallel, *, name):
        asked.append((tuple(rows), tuple(left), name))
        own = torch.tensor([[2.0, 0.0], [0.0, 1.0 if name == "fold_2" else -1.0]], dtype=torch.float64)
        return start, {"plain": own, "shuffled": -own, "reversed": own * 0} if left else {}

    def start(rows):
        started.append(tuple(rows))
        return model

    monkeypatch.setattr(Tuning, "tuned", tuned)
    records = Records([f"{k}.mp4" for k in range(6)], videos.labels, root=tmp_path, source=tmp_path)
    tuning = Tuning(
        records=records, classes="ab", kind="softmax", folder=tmp_path / "tune", backend="pyav", workers=0, seed=0
    )
    found, logits, measured = tuning.run(videos, start, videos.targets, ALONE, how="folds")
    assert measured == list(range(6))
    assert asked == [
        ((2, 3, 4, 5), (0, 1), "fold_1"),
        ((0, 1, 4, 5), (2, 3), "fold_2"),
        ((0, 1, 2, 3), (4, 5), "fold_3"),
        (tuple(range(6)), (), "all"),
    ]
    assert started == [rows for rows, _, _ in asked]
    assert found is model
    assert torch.equal(logits["shuffled"], -logits["plain"])
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "fold 2 of 3: fine-tuned 1.00, the linear probe 1.00, on 2 videos"
    assert said[3] == (
        "in all: fine-tuned 0.67, the linear probe 1.00, on 6 videos; it is not worth it: fit without --finetune"
    )
