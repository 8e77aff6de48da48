"""Checkpoints: whole or not there, refused where they do not fit."""

import os

import pytest
import torch
from torch import nn

from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import (
    Checkpoint,
    find_checkpoint,
    list_checkpoints,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)


class Net(nn.Module):
    def __init__(self, classes=("a", "b"), width=3):
        super().__init__()
        self.network = nn.ModuleDict({"body": nn.Linear(width, 4), "head": nn.Linear(4, len(classes))})
        self.classes = classes


def checkpoint(step=5, model=None, **options):
    model = model or Net()
    state = {"model": model.state_dict(), "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": []}}
    return Checkpoint(
        **{"step": step, **state, "config": "a: 1", "classes": ("a", "b"), "bad": {7: "cut off"}, **options}
    )


def test_what_is_saved_comes_back(tmp_path):
    saved = checkpoint()
    loaded = load_checkpoint(save_checkpoint(saved, tmp_path))
    assert (loaded.step, loaded.config, loaded.classes, loaded.bad) == (5, "a: 1", ("a", "b"), {7: "cut off"})
    assert all(torch.equal(loaded.model[key], value) for key, value in saved.model.items())
    assert torch.equal(loaded.optimizer["state"][0]["step"], torch.tensor(3.0))


def test_only_the_newest_stay(tmp_path):
    for step in (1, 2, 3, 100000000):
        save_checkpoint(checkpoint(step), tmp_path, keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000003.pt", "step_100000000.pt"]


def test_a_failed_write_leaves_the_older_one(tmp_path, monkeypatch):
    older = save_checkpoint(checkpoint(1), tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"step_00000002.*No space left"):
        save_checkpoint(checkpoint(2), tmp_path)
    assert os.listdir(tmp_path) == [older.name]
    assert load_checkpoint(older).step == 1


def test_files_that_are_none_are_refused(tmp_path):
    path = save_checkpoint(checkpoint(), tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of vidtok"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"no such checkpoint file; found there: .*step_00000005"):
        load_checkpoint(tmp_path / "step_1.pt")


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": "vidtok checkpoint 1", "step": Trap()}, tmp_path / "step_00000001.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "step_00000001.pt")
    assert not (tmp_path / "trapped").exists()


def test_the_folder_of_a_run_stands_for_its_newest(tmp_path):
    newest = [save_checkpoint(checkpoint(step), tmp_path / "checkpoints") for step in (1, 2)][-1]
    assert find_checkpoint(tmp_path) == newest
    assert find_checkpoint(tmp_path / "checkpoints") == newest
    assert find_checkpoint(newest) == newest
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint in this folder"):
        find_checkpoint(tmp_path / "empty")


def test_weights_of_another_model_are_refused_key_by_key():
    state = {**Net(width=5).state_dict(), "extra": torch.zeros(1)}
    del state["network.head.bias"]
    with pytest.raises(CheckpointError) as error:
        load_weights(Net(), state, source="x.pt")
    text = str(error.value)
    assert "x.pt: this checkpoint belongs to another model" in text
    assert "missing: network.head.bias" in text
    assert "not in this model: extra" in text
    assert "network.body.weight: (4, 5) in the file, (4, 3) in this model" in text
