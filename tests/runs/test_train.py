"""The training tool as a person runs it: resume, many processes, broken videos, messages."""

import json
import os
import re
import signal
import time

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, called, small_run, together, tool
from tests.runs.commands import asks_for_the_defaults
from tests.runs.training import assert_same, final, losses, start_tool, wait_for
from vidtok.cli import test as test_tool
from vidtok.cli import train
from vidtok.errors import VidtokError
from vidtok.runs import train as runs_train
from vidtok.runs.train import run_train
from vidtok.train.lock import locked
from vidtok.train.opening import load_checkpoint


@pytest.fixture(scope="module")
def whole(motion, tmp_path_factory):
    """An uninterrupted run of 12 steps, two loader workers."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = called("train", *small_run(motion, run), "data.workers=2")
    assert done.returncode == 0, done.stderr
    return run


def test_a_run_leaves_what_the_readme_says(whole):
    names = {path.name for path in whole.iterdir()}
    assert names == {"config.yaml", "log.jsonl", "tensorboard", "checkpoints", "curves.png", ".lock"}
    assert len(losses(whole)) == 12
    assert final(whole)["classes"][:2] == ["right", "left"]


def test_interrupted_at_step_7_and_resumed_is_bitwise_the_same(motion, whole, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), "data.workers=2"]
    with start_tool("train_net", *arguments) as process:
        wait_for(process, "step 6/")
        process.send_signal(signal.SIGINT)  # comes during step 7, which is finished first
        said = process.stdout.read()
    assert process.returncode == 130, said
    assert "the same command goes on from" in said
    stopped = list((tmp_path / "run" / "checkpoints").iterdir())
    assert len(stopped) == 1
    at = int(stopped[0].stem.removeprefix("step_"))
    assert 7 <= at < 12
    again = called("train", *arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert f"going on from {stopped[0]}" in again.stdout
    assert_same(final(tmp_path / "run")["model"], final(whole)["model"])
    assert_same(final(tmp_path / "run")["optimizer"], final(whole)["optimizer"])


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_processes_share_a_batch_and_give_the_same_losses(motion, tmp_path, processes):
    # One batch of 4 on 3 processes: shares of 2, 1 and 1. Dropout draws differently on each process, so it is off.
    runs = {}
    for count in (1, processes):
        run = tmp_path / str(count)
        settings = ["model.dropout=0.0", "train.steps=5", "data.workers=0"]
        arguments = [*small_run(motion, run), *settings]
        done = called("train", *arguments) if count == 1 else together("train", *arguments, processes=count)
        assert done.returncode == 0, done.stderr
        runs[count] = losses(run)
    assert runs[1].keys() == runs[processes].keys() == set(range(1, 6))
    for step, loss in runs[1].items():
        assert runs[processes][step] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
def test_two_runs_in_one_folder_are_refused(motion, tmp_path, processes):
    with locked(tmp_path):
        done = together("train", *small_run(motion, tmp_path), processes=processes)
    assert done.returncode == (2 if processes == 1 else 1)  # as torchrun has it
    assert f"error: {tmp_path}: another run is at work in this folder (process {os.getpid()} on" in done.stderr
    assert "[rank1]" not in done.stderr  # the others say it too, instead of an error of the lost connection
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_changed_config_is_refused_with_the_difference(motion, whole):
    changed = called("train", *small_run(motion, whole), "train.lr=0.5", "model.heads=4")
    assert changed.returncode == 2
    assert "train.lr: 0.5 | 0.001" in changed.stderr
    assert "model.heads: 4 | 2" in changed.stderr
    assert "Traceback" not in changed.stderr


def test_a_finished_run_is_not_trained_again(motion, whole):
    before = final(whole)
    done = called("train", *small_run(motion, whole), "data.workers=2")
    assert done.returncode == 0, done.stderr
    assert_same(final(whole), before)


def test_resume_insists_on_a_checkpoint(motion, tmp_path):
    done = called("train", *small_run(motion, tmp_path / "run"), "--resume")
    assert done.returncode == 2
    assert "--resume, but there is no checkpoint" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.mixer.name=mhsaa", "there is no mixer 'mhsaa'; did you mean 'mhsa'?"),
        ("data.framse=3", "unknown key; did you mean 'frames'?"),
        ("model.token_learner.after_block=2", "set model.token_learner.after_block to 0 … 1"),
        ("model.pool=cls", "set model.pool=mean"),
        ("data.size=36", "36"),
        ("train.init=no/such.pt", "no/such.pt: no such checkpoint file"),
        ("train.init=timm:no_such_model", "timm cannot get these weights"),
        ("data.classes=LICENSE", "LICENSE:"),
        ("data.val=tests/none.csv", "tests/none.csv: no such list"),
        ("data.root=/nowhere", "files looked for are missing"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_message(motion, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(ROOT)
    with pytest.raises(VidtokError, match=re.escape(message)) as error:
        train.run([*small_run(motion, tmp_path / "run"), change])
    assert len(str(error.value).splitlines()) < 25


def test_without_the_data_the_tool_names_the_list_and_how_to_make_it():
    done = called("train", "--cfg", "configs/k400_vivit_tl8.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/k400/train.csv: no such list.\nWrite one line per video")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_fewer_classes_than_labels_is_told(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "four.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(VidtokError, match="is too high: there are 4 classes, so labels go from 0 to 3"):
        train.run([*small_run(motion, tmp_path / "run"), f"data.classes={tmp_path / 'four.txt'}"])


@pytest.mark.slow
def test_a_second_interrupt_leaves_at_once(motion, tmp_path):
    arguments = [*small_run(motion, tmp_path / "run"), "train.steps=100000", "train.batch=64", "data.workers=0"]
    with start_tool("train_net", *arguments) as process:
        wait_for(process, "step 1/")
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode in (130, -signal.SIGINT)
    assert len(list((tmp_path / "run").glob("checkpoints/*.tmp"))) <= 1


PARTS = [
    *("train.lr_scale={new: 10.0}", "train.layer_decay=0.8", "train.freeze=[tokenizer.*]", "train.accumulate=2"),
    *("train.ema_decay=0.9", "train.mixup_alpha=0.8", "train.checkpoint_blocks=true", "train.lr_batch=8"),
]


@pytest.fixture
def fine_tuning(motion, whole, tmp_path, monkeypatch):
    """Arguments of a run with many parts that starts from another run's weights, for classes with other names."""
    monkeypatch.chdir(ROOT)
    names = (motion / "classes.txt").read_text().replace("right", "east").replace("left", "west")
    (tmp_path / "classes.txt").write_text(names)
    (tmp_path / "start.pt").write_bytes((whole / "checkpoints" / "step_00000012.pt").read_bytes())
    settings = [f"data.classes={tmp_path / 'classes.txt'}", f"train.init={tmp_path / 'start.pt'}", "data.workers=0"]
    return lambda run: [*small_run(motion, run), *settings, *PARTS, "eval.opposites=[]", "train.batch=5"]


def interrupted_at(step, monkeypatch):
    """Ctrl-C while the batch of this step (from 0) is waited for."""
    build = runs_train.build_train_batches

    def batches(*args, **options):
        for number, batch in enumerate(build(*args, **options)):
            if number == step:
                signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(runs_train, "build_train_batches", batches)


def test_every_part_goes_on_bitwise_and_needs_no_initial_weights_again(fine_tuning, whole, tmp_path, capsys):
    assert train.run([*fine_tuning(tmp_path / "once"), "eval.after_train=true", "eval.clips=1"]) == 0
    said = capsys.readouterr().out
    assert "learning rate: 0.001 for 8 clips per step is 0.000625 for 5" in said
    assert "2 new parameters have 10 times the rate of the others" in said
    assert "M parameters" in re.search(r"frozen: all but .*", said)[0]
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(4, patch)
        assert train.run(fine_tuning(tmp_path / "twice")) == 130
    (tmp_path / "start.pt").unlink()
    assert train.run(fine_tuning(tmp_path / "twice")) == 0
    once, twice = (final(tmp_path / name) for name in ("once", "twice"))
    for part in ("model", "ema", "optimizer"):
        assert_same(once[part], twice[part])
    frozen = "network.tokenizer.projection.weight"
    assert torch.equal(once["model"][frozen], final(whole)["model"][frozen])
    kernel = "network.encoder.blocks.0.mlp.expand.weight"
    assert not torch.equal(once["model"][kernel], final(whole)["model"][kernel])
    assert not torch.equal(once["model"][kernel], once["ema"][kernel])

    # What is tested, at the end of a run and later, are the averages.
    assert (
        test_tool.run(["--checkpoint", str(tmp_path / "once"), "--out", str(tmp_path / "later"), "eval.clips=1"]) == 0
    )
    predictions = [(tmp_path / name / "predictions.csv").read_text() for name in ("once/test", "later")]
    assert predictions[0] == predictions[1]


def test_a_linear_probe_is_a_config(motion, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = [f"train.init={whole}", 'train.freeze=["*", "!head.*"]', "data.workers=0", "train.steps=3"]
    assert train.run([*small_run(motion, tmp_path / "run"), *settings]) == 0
    before, behind = final(whole)["model"], final(tmp_path / "run", step=3)["model"]
    assert {name for name in before if not torch.equal(before[name], behind[name])} == {
        "network.head.logits.weight",
        "network.head.logits.bias",
    }


def test_the_best_validation_is_kept_and_can_be_tested(motion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run = tmp_path / "run"
    arguments = [*small_run(motion, run), "eval.every=3", "train.save_every=2", "data.workers=0"]
    assert train.run(arguments) == 0
    checks = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    checks = [(line["top1"], -line["step"]) for line in checks if line["event"] == "val"]
    best = load_checkpoint(run / "checkpoints" / "best.pt")
    assert (best.best["top1"], -best.best["step"]) == max(checks)
    assert best.best["step"] == best.step
    assert test_tool.run(["--checkpoint", str(run / "checkpoints" / "best.pt"), "eval.clips=1", "eval.crops=1"]) == 0
    results = json.loads((run / "test" / "results.json").read_text())
    assert results["figures"]["top1"] == best.best["top1"]

    # A damaged newest checkpoint: the run goes on from the one before, says so, and comes to the same end.
    expected, newest = final(run)["model"], run / "checkpoints" / "step_00000012.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    capsys.readouterr()
    assert train.run(arguments) == 0
    said = capsys.readouterr().out
    assert f"warning: {newest}: damaged" in said
    assert "the run goes on from the one before: " in said
    assert "step_00000010.pt" in said
    assert_same(final(run)["model"], expected)


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_other_does(motion, tmp_path):
    runs = {}
    for name, changes in (("plain", []), ("compiled", ["train.compile=true", "train.checkpoint_blocks=true"])):
        settings = ["model.dropout=0.0", "train.steps=4", "data.workers=0", *changes]
        done = tool("train_net", *small_run(motion, tmp_path / name), *settings, timeout=560)
        assert done.returncode == 0, done.stderr
        runs[name] = losses(tmp_path / name)
    assert runs["plain"].keys() == runs["compiled"].keys() == set(range(1, 5))
    for step, loss in runs["plain"].items():
        assert runs["compiled"][step] == pytest.approx(loss, abs=1e-5)


def test_tensorboard_shows_clips_and_confusions(motion, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = tmp_path / "run"
    settings = ["train.steps=2", "eval.every=1", "eval.after_train=true", "eval.clips=1", "eval.crops=1"]
    assert train.run([*small_run(motion, run), "data.workers=0", *settings]) == 0
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    steps = {name: [picture.step for picture in board.Images(name)] for name in board.Tags()["images"]}
    assert steps == {"train/examples": [0], "val/confusion": [1, 2], "test/confusion": [2]}
    with Image.open(run / "test" / "confusion.png") as kept:
        (shown,) = board.Images("test/confusion")
        assert kept.size == (shown.width, shown.height)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (tested,) = (line for line in lines if line["event"] == "test")
    assert tested["n"] == 17
    assert tested["top1"] == json.loads((run / "test" / "results.json").read_text())["figures"]["top1"]


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("train", run_train, "--cfg", "a")
