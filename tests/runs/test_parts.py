"""Runs in processes of their own: one that fails is told, and Ctrl-C leaves all of them so that they can go on."""

import hashlib
import json
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import called, small_run, tool_command, tool_options
from vidtok.config_io import load_config
from vidtok.errors import CheckpointError, DataError, TrainingError
from vidtok.runs.parts import PartRun, prepare, run_parts
from vidtok.runs.results import protocol


def part(motion, folder, *more):
    _, cfg, *overrides = small_run(motion, folder)
    return PartRun(name=folder.name, config=load_config(cfg, [*overrides, *more]), lists={})


def test_a_run_that_fails_is_told_with_its_words(motion, tmp_path):
    lost = part(motion, tmp_path / "lost", f"data.val={tmp_path / 'none.csv'}")
    prepare(lost)
    with pytest.raises(
        TrainingError, match=r"lost ended with status 2(?s:.*)output\.txt(?s:.*)none\.csv: no such list"
    ):
        run_parts([lost], jobs=1, tell=lambda part: part.name)


def test_a_changed_test_is_done_anew_and_the_training_kept(motion, tmp_path):
    one = part(motion, tmp_path / "one")
    prepare(one)
    (one.folder / "checkpoints").mkdir()
    (one.folder / "checkpoints" / "step_00000012.pt").touch()
    one.results.parent.mkdir()
    write_results_of(one)
    prepare(part(motion, one.folder, "data.workers=3", "run.device=cpu"))
    assert one.results.exists()
    prepare(part(motion, one.folder, "eval.clips=2"))
    assert not one.results.exists()


def test_a_run_that_has_saved_nothing_may_change_and_one_that_has_may_not(motion, tmp_path):
    one = part(motion, tmp_path / "one")
    prepare(replace(one, lists={"train.txt": "a 0"}))
    prepare(replace(part(motion, one.folder, "train.lr=0.5"), lists={"train.txt": "b 0"}))
    assert "lr: 0.5" in (one.folder / "config.yaml").read_text()
    assert (one.folder / "train.txt").read_text() == "b 0"
    (one.folder / "checkpoints").mkdir()
    (one.folder / "checkpoints" / "step_00000012.pt").touch()
    with pytest.raises(CheckpointError, match=r"(?s)started with another configuration \(now \| then\):.*train\.lr"):
        prepare(one)
    same = part(motion, one.folder, "train.lr=0.5")
    with pytest.raises(DataError, match=r"train\.txt: the table of folds has changed since this run was started"):
        prepare(replace(same, lists={"train.txt": "a 0"}))
    prepare(replace(same, lists={"train.txt": "b 0", "new.txt": "c"}))
    assert (one.folder / "new.txt").read_text() == "c"
    assert (same.steps, part(motion, one.folder, "train.steps=null", "train.epochs=2").steps) == (12, 12)


def write_results_of(one, val=None, **changes):
    digest = hashlib.sha256(Path(val or one.config.data.val).read_bytes()).hexdigest()
    content = {"protocol": {**protocol(one.config), **changes}, "list_sha256": digest}
    one.results.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "changes",
    [{"control": "reverse"}, {"clips": 10}, {"crops": 1}, {"aggregate": "max"}, {"short_side": 64}, {"fit": "pad"}],
    ids=lambda changes: next(iter(changes)),
)
def test_results_of_another_protocol_or_a_control_are_not_read_as_done(motion, tmp_path, changes):
    one = part(motion, tmp_path / "one")
    one.results.parent.mkdir(parents=True)
    write_results_of(one)
    assert one.is_done
    prepare(one)
    assert one.results.exists()
    write_results_of(one, **changes)
    assert not one.is_done
    prepare(one)
    assert not one.results.exists()


def test_results_of_another_list_are_not_read_as_done(motion, tmp_path):
    one = part(motion, tmp_path / "one")
    one.results.parent.mkdir(parents=True)
    write_results_of(one, val=motion / "train.csv")
    assert not one.is_done
    for text in ("", "{", "[]", '{"protocol": 3}', '{"protocol": {}}'):
        one.results.write_text(text)
        assert not one.is_done


@pytest.mark.slow
def test_interrupted_and_run_again_is_bitwise_the_same(motion, tmp_path):
    names = (motion / "classes.txt").read_text().splitlines()
    rows = "".join(f"{motion}/train/{i:05d}.mp4,{names[i % 8]},{i // 8}\n" for i in range(24))
    (tmp_path / "labels.csv").write_text(f"path,label,fold\n{rows}")
    lasts = []
    for interrupt in (False, True):
        run = tmp_path / f"run_{interrupt}"
        kept = [item for item in small_run(motion, run) if not re.match(r"data\.(train|val|classes)", item)]
        arguments = [*kept, f"data.root={tmp_path}", "train.steps=24", "--jobs", "2"]
        if interrupt:
            options = {key: value for key, value in tool_options().items() if key in ("cwd", "env", "text")}
            command = tool_command("cross_validate", *arguments)
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as process:
                output = run / "fold_0" / "output.txt"
                until = time.monotonic() + 120
                while not (output.is_file() and "step 5/" in output.read_text()) and time.monotonic() < until:
                    time.sleep(0.05)
                process.send_signal(signal.SIGINT)
                said = process.stdout.read()
            assert process.returncode == 130, said
            assert said.splitlines()[-1] == "stopped; the same command goes on"
            assert "stopped after step" in output.read_text()
            assert not (run / "fold_2").joinpath("output.txt").exists()
        done = called("cross_validate", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        checkpoints = [run / f"fold_{fold}" / "checkpoints" / "step_00000024.pt" for fold in range(3)]
        lasts.append([torch.load(path, weights_only=True)["model"] for path in checkpoints])
    for one, other in zip(*lasts, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
