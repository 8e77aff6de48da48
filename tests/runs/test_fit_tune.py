"""Fit with fine-tuning: what is trained, from which start, and that none learns from what it is measured on."""

import io
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
from vidtok.models.encoders import find_encoder
from vidtok.runs import fit as runs_fit
from vidtok.runs.fit_model import encoder_model
from vidtok.runs.fit_tune import StepLines, TuneRecipe, Tuning
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
    model, started, asked, titles = object.__new__(Classifier), [], [], []

    def tuned(self, start, rows, left, parallel, *, name, title):
        titles.append(title)
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
    assert titles == [*(f"fold {number} of 3" for number in (1, 2, 3)), "the model of all videos"]
    assert started == [rows for rows, _, _ in asked]
    assert found is model
    assert torch.equal(logits["shuffled"], -logits["plain"])
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "fold 2 of 3: fine-tuned 1.00, the linear probe 1.00, on 2 videos"
    assert said[3] == (
        "in all: fine-tuned 0.67, the linear probe 1.00, on 6 videos; it is not worth it: fit without --finetune"
    )


def test_a_run_sees_what_the_linear_probe_saw_and_is_as_long_as_its_videos_want(tmp_path):
    weights = find_encoder(str(small_encoder(tmp_path / "encoder") / "model"))
    start = encoder_model(weights, ("a", "b"), summary="time", frames=2, kind="softmax")
    records = Records(["a.mp4"], [(0,)], root=tmp_path, source=tmp_path / "list.csv")
    given = {"records": records, "folder": tmp_path, "backend": "pyav", "workers": 3, "seed": 7}

    def config(count, *, kind="softmax", classes=("a", "b"), **recipe):
        tuning = Tuning(classes=classes, kind=kind, recipe=TuneRecipe(**recipe), **given)
        return tuning.config(start, run=tmp_path / "run", count=count)

    found = config(20)
    data, train = found.data, found.train
    assert data.train == data.val == str(tmp_path / "list.csv")
    assert (data.frames, data.stride, data.sampling, data.size, data.fit) == (2, 1, "segments", 32, "pad")
    assert (data.scale, data.ratio, data.flip) == ((0.75, 1.0), (0.8, 1.25), True)
    assert (data.mean, data.std) == (weights.mean, weights.std)
    assert (data.backend, data.workers) == ("pyav", 3)
    assert (train.epochs, train.batch, train.lr, train.weight_decay, train.layer_decay) == (8.0, 8, 1e-4, 0.05, 0.75)
    assert train.warmup_steps == 2, "a tenth of 20 steps"
    assert (train.batch_norm, train.loss, train.class_weights) == ("frozen", "softmax", "balanced")
    assert (train.init, train.keep_checkpoints) == (str(tmp_path / "run" / "start"), 1)
    assert train.log_every == 4, "five lines of 20 steps"
    assert train.save_every >= 10**9, "the last step alone is saved"
    assert (found.run.dir, found.run.seed) == (str(tmp_path / "run"), 7)
    assert (found.eval.clips, found.eval.crops, found.eval.after_train, found.eval.train_sample) == (1, 1, False, 0)
    assert (found.model["name"], found.model["summary"], found.model["trained_blocks"]) == ("encoder", "time", 2)
    assert config(13, epochs=12).train.warmup_steps == 2, "a tenth of 20 steps, the last of which is half a batch"
    few = config(5, kind="sigmoid", classes=("turn left", "turn right"), blocks=99, epochs=11)
    assert few.train.log_every == 3, "of 11 steps"
    assert (few.train.batch, few.train.warmup_steps) == (5, 1)
    assert (few.train.class_weights, few.train.loss, few.data.flip) == (None, "sigmoid", False)
    assert few.model["trained_blocks"] == len(start.network.blocks)


def test_how_far_a_run_is_is_shown_and_all_that_it_says_is_kept(tmp_path):
    shown = io.StringIO()
    said = (
        "clips as told\nstep 4/20 | loss 0.700 | eta 0:12\nstep 8 | val top1 0.5\nstep 8/20 | loss 0.600 | eta 0:08\n"
    )
    with (tmp_path / "output.txt").open("w", encoding="utf-8") as file:
        lines = StepLines(file, title="fold 1 of 2", shown=shown)
        assert lines.encoding == "utf-8"
        for start in range(0, len(said), 7):
            assert lines.write(said[start : start + 7]) == len(said[start : start + 7])
        lines.flush()
        assert (tmp_path / "output.txt").read_text("utf-8") == said
    assert shown.getvalue().splitlines() == [
        "fold 1 of 2 | step 4/20 | loss 0.700 | eta 0:12",
        "fold 1 of 2 | step 8/20 | loss 0.600 | eta 0:08",
    ]
