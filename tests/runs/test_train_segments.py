"""A run that goes on with other settings, one that is finished, and one whose numbers are not finite any more."""

import json
import threading

import pytest
import torch

from tests.conftest import ROOT, small_run
from tests.runs.test_train import interrupted_at
from tests.runs.test_train_lists import write_pictures
from tests.runs.training import final, losses
from vidtok.cli import test as test_tool
from vidtok.cli import train
from vidtok.config_io import load_config
from vidtok.errors import CheckpointError, ConfigError, NotFiniteError, TrainingError
from vidtok.runs import train as runs_train
from vidtok.train.checkpoint import list_checkpoints, save_checkpoint
from vidtok.train.opening import load_checkpoint

WILD = ["train.lr=1e38", "train.clip_norm=null", "train.save_every=1"]


@pytest.fixture
def small(motion, tmp_path, monkeypatch):
    """Trains with changes to a small config; its arguments."""
    monkeypatch.chdir(ROOT)
    return lambda *changes: train.run([*small_run(motion, tmp_path / "run"), "data.workers=0", *changes])


def events(run, kind):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


@pytest.mark.parametrize("options", [[], ["train.precision=bf16"], ["train.ema_decay=0.9"]])
def test_weights_that_are_not_finite_leave_no_checkpoint_and_the_advice_is_possible(small, tmp_path, options):
    with pytest.raises(NotFiniteError, match="No checkpoint has been saved yet: the same command begins anew") as error:
        small(*WILD, "train.warmup_steps=0", *options)
    assert "Lower train.lr" in str(error.value)
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == []
    assert small("train.steps=2", *options) == 0  # the same folder, with a lower rate


def test_the_newest_checkpoint_is_from_before_and_a_lower_rate_goes_on_from_it(small, tmp_path, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(4, patch)
        assert small() == 130
    (before,) = list_checkpoints(tmp_path / "run" / "checkpoints")
    with pytest.raises(CheckpointError, match="--new-segment"):
        small(*WILD)
    with pytest.raises(NotFiniteError) as error:
        small(*WILD, "--new-segment")
    # A step of 1e38 is still a number; the next one is none.
    *older, newest = list_checkpoints(tmp_path / "run" / "checkpoints")
    assert f"the newest checkpoint, {newest}, is from before and whole" in str(error.value)
    assert "an earlier one: move the newer ones away" in str(error.value)
    assert all(value.isfinite().all() for value in load_checkpoint(newest).model.values())
    if older:
        newest.unlink()
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == [before]
    assert small("train.lr=5e-4", "--new-segment") == 0
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "step_00000012.pt").segments == (0, 5)


def test_a_checkpoint_that_is_not_finite_is_not_tested(small, tmp_path):
    assert small("train.steps=2") == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "step_00000002.pt")
    checkpoint.model["network.head.logits.bias"][1] = float("nan")
    path = save_checkpoint(checkpoint, tmp_path / "older")
    with pytest.raises(CheckpointError, match=rf"{path}.*network\.head\.logits\.bias is not finite"):
        test_tool.run(["--checkpoint", str(path)])


def test_a_finished_run_says_so_and_is_extended_by_a_new_segment(small, tmp_path, capsys):
    run = tmp_path / "run"
    assert small() == 0
    first = (run / "config.yaml").read_text()
    capsys.readouterr()
    assert small() == 0
    said = capsys.readouterr().out
    assert "going on from" not in said
    assert "this run is finished: it has made 12 of 12 steps" in said
    assert "train.steps=N --new-segment, with N above 12" in said
    assert "warning" not in said

    longer = ["train.steps=16", "train.lr=5e-4"]
    with pytest.raises(CheckpointError, match=r"train\.steps: 16 \| 12\n  train\.lr: 0\.0005 \| 0\.001"):
        small(*longer)
    assert small(*longer, "--new-segment") == 0
    (segment,) = events(run, "segment")
    assert (segment["step"], segment["number"]) == (12, 2)
    assert segment["changes"] == ["train.steps: 16 | 12", "train.lr: 0.0005 | 0.001"]
    assert (run / "config.1.yaml").read_text() == first
    assert load_config(run / "config.yaml").train.steps == 16
    assert load_checkpoint(run / "checkpoints" / "step_00000016.pt").segments == (0, 12)
    rates = {event["step"]: event["lr"] for event in events(run, "train")}
    half = 5e-4 * (1 + torch.cos(torch.tensor(torch.pi * 12 / 16)).item()) / 2
    assert rates[13] == pytest.approx(half, rel=1e-3)
    assert set(losses(run)) == set(range(1, 17))

    capsys.readouterr()
    assert small(*longer, "--new-segment") == 0  # the same command again: nothing has changed since
    assert "this run is finished: it has made 16 of 16 steps" in capsys.readouterr().out
    assert len(events(run, "segment")) == 1
    with pytest.raises(CheckpointError, match="goes on behind step 16, and the run is to have 12 steps"):
        small("--new-segment")


def test_a_segment_that_was_stopped_goes_on_bitwise(small, tmp_path):
    assert small("train.steps=4", "train.warmup_steps=1") == 0
    longer = ["train.steps=9", "train.warmup_steps=1", "train.ema_decay=0.5", "train.weight_decay=0.2"]
    copy = tmp_path / "copy"
    (copy / "checkpoints").mkdir(parents=True)
    saved = tmp_path / "run" / "checkpoints" / "step_00000004.pt"
    (copy / "checkpoints" / saved.name).write_bytes(saved.read_bytes())
    assert small(*longer, "--new-segment") == 0
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(2, patch)
        assert small(*longer, "--new-segment", f"run.dir={copy}") == 130
    assert small(*longer, f"run.dir={copy}") == 0
    one, other = final(tmp_path / "run", 9), final(copy, 9)
    for part in ("model", "ema"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part])
    assert one["segments"] == other["segments"] == [0, 4]
    assert {group["weight_decay"] for group in one["optimizer"]["param_groups"]} == {0.0, 0.2}


def test_a_list_that_was_edited_is_told_and_bad_videos_keep_their_names(small, motion, tmp_path):
    lines = [f"{motion / line}" for line in (motion / "train.csv").read_text().splitlines()]
    (tmp_path / "broken.mp4").write_text("no video")
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"{tmp_path / 'broken.mp4'} 0", *lines]) + "\n")
    settings = [f"data.train={path}", "data.max_bad_fraction=0.2", "data.format=paths"]
    assert small(*settings, "train.steps=7", "train.warmup_steps=1") == 0
    assert list(final(tmp_path / "run", 7)["bad"]) == [str(tmp_path / "broken.mp4")]
    path.write_text("\n".join([*lines, f"{tmp_path / 'broken.mp4'} 0"]) + "\n")
    with pytest.raises(CheckpointError, match=r"what data\.train lists: 25 records, \w+ \| 25 records, \w+"):
        small(*settings, "train.steps=7", "train.warmup_steps=1")
    moved = tmp_path / "moved.csv"
    path.write_text("\n".join([f"{tmp_path / 'broken.mp4'} 0", *lines]) + "\n")
    path.rename(moved)
    settings[0] = f"data.train={moved}"
    assert small(*settings, "train.steps=7", "train.warmup_steps=1") == 0  # another place, the same list
    moved.write_text("\n".join(lines) + "\n")
    assert small(*settings, "train.steps=8", "train.warmup_steps=1", "--new-segment") == 0
    assert final(tmp_path / "run", 8)["bad"] == {}


def test_all_broken_videos_of_a_small_list_are_named_and_one_may_fail(small, motion, tmp_path):
    lines = [f"{motion / line}" for line in (motion / "train.csv").read_text().splitlines()[:17]]
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text("no video")
    broken = [f"{tmp_path / name}.mp4 0" for name in "abc"]
    path = tmp_path / "list.csv"
    for count in (1, 3):
        path.write_text("\n".join([*lines, *broken[:count]]) + "\n")
        settings = [f"data.train={path}", "data.format=paths", f"run.dir={tmp_path / str(count)}"]
        if count == 1:
            assert small(*settings, "train.steps=5") == 0
            continue
        with pytest.raises(
            TrainingError, match=r"3 of 20 videos .* 1 may fail \(data\.max_bad_fraction=0\.01"
        ) as error:
            small(*settings)
        assert all(f"{name}.mp4" in str(error.value) for name in "abc")


@pytest.mark.parametrize("workers", [0, 2])
def test_training_in_a_thread(small, tmp_path, workers):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(small("train.steps=2", f"data.workers={workers}")))
    thread.start()
    thread.join()
    assert ended == [0]
    assert set(losses(tmp_path / "run")) == {1, 2}


def test_a_run_s_folder_that_is_a_file_is_told(small, tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(TrainingError, match=r"it is a file, no folder\. Give another run\.dir"):
        small()


def test_epochs_are_stated_as_steps(small, tmp_path, capsys):
    assert small("train.steps=null", "train.epochs=0.5", "train.batch=5") == 0
    assert "0.5 epochs of 24 videos are 3 steps" in capsys.readouterr().out
    assert set(losses(tmp_path / "run")) == {1, 2, 3}
    assert small("train.steps=null", "train.epochs=0.5", "train.batch=5") == 0
    assert "add train.epochs=N --new-segment, with N above 0.5" in capsys.readouterr().out


def test_mixing_that_does_nothing_is_refused(small, capsys):
    with pytest.raises(ConfigError, match=r"train\.mixup_alpha=0\.8 .* nothing would be mixed"):
        small("train.mixup_alpha=0.8", "train.batch=1")
    assert small("train.mixup_alpha=0.8", "train.batch=2", "train.steps=1", "train.warmup_steps=1") == 0
    said = capsys.readouterr().out
    assert "warning: the warm-up (train.warmup_steps=1) is not over when the run ends" in said


def test_early_stopping_ends_a_run_for_good(small, tmp_path, monkeypatch, capsys):
    settings = ["eval.every=1", "eval.patience=2", "train.lr=1e-12", "train.steps=12"]  # nothing gets better
    assert small(*settings) == 0
    assert (
        "training ends early, at step 3 of 12: 2 validations have not been better than top1" in capsys.readouterr().out
    )
    assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1].name == "step_00000003.pt"
    assert small(*settings) == 0
    assert "this run is finished: it has made 3 of 12 steps" in capsys.readouterr().out
    assert small(*[*settings, "eval.patience=5"]) == 0  # more of it may be had
    assert max(losses(tmp_path / "run")) == 6


def test_running_out_of_memory_says_what_to_change(small, monkeypatch):
    def train_out(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def predict_out(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_train, "train", train_out)
        with pytest.raises(TrainingError, match=r"out of memory: lower train\.batch.*accumulate.*checkpoint_blocks"):
            small()
    monkeypatch.setattr(runs_train, "predict", predict_out)
    with pytest.raises(TrainingError, match=r"out of memory: lower eval\.max_views"):
        small("eval.every=1")


def test_a_batch_norm_of_one_value_is_told_from_the_command(small, tmp_path):
    write_pictures(tmp_path)
    lists = [f"data.{name}={tmp_path / name}" for name in ("train", "val")]
    settings = ["model={name: casvit_xs}", "data.frames=1", "data.stride=1", "data.classes=null", "eval.opposites=[]"]
    with pytest.raises(TrainingError, match=r"1 clip of 1 frame with 32 x 32 pixels .*\(train\.batch, fewer parts"):
        small(*lists, *settings, "train.batch=1")


def test_a_deterministic_run_is_the_same_run(small, tmp_path):
    for name, change in (("a", "true"), ("b", "false")):
        settings = [f"run.deterministic={change}", f"run.dir={tmp_path / name}", "train.steps=2"]
        assert small(*settings) == 0
    assert not torch.are_deterministic_algorithms_enabled()
    one, other = (final(tmp_path / name, 2)["model"] for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rare_classes_are_weighed_or_balanced(small, motion, tmp_path):
    lines = [f"{motion / line}" for line in (motion / "train.csv").read_text().splitlines()]
    common = [line for line in lines if line.endswith(" 0")] * 5 + [line for line in lines if line.endswith(" 1")][:1]
    (tmp_path / "list.csv").write_text("\n".join(common) + "\n")
    settings = [f"data.train={tmp_path / 'list.csv'}", "data.format=paths", "train.steps=3", "model.dropout=0.0"]
    found = {}
    for name, change in (
        ("plain", []),
        ("weighed", ["train.class_weights=balanced"]),
        ("even", ["data.balanced=true"]),
    ):
        assert small(*settings, *change, f"run.dir={tmp_path / name}") == 0
        found[name] = losses(tmp_path / name)
    assert found["plain"] != found["weighed"]
    assert found["plain"] != found["even"]
    with pytest.raises(ConfigError, match=r"data\.balanced and train\.class_weights=balanced both"):
        small(*settings, "data.balanced=true", "train.class_weights=balanced")
