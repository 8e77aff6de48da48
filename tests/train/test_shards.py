"""Sharded checkpoints: read as whole ones, checked part by part, and harmless. Real shards are in test_fsdp.py."""

import json
import os
import pickle
import zlib
from dataclasses import replace

import pytest
import torch

from tests.train.test_store import ALONE, flip, state
from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import ASIDE
from vidtok.train.opening import load_checkpoint
from vidtok.train.shards import (
    SafeReader,
    load_shards,
    put_tensors,
    read_rest,
    save_shards,
    shards_path,
    take_tensors,
    verify_shards,
)
from vidtok.train.store import Store


@pytest.fixture
def folder(tmp_path):
    """A sharded checkpoint of one process, which the group of a real run would write in parts."""
    path = shards_path(tmp_path, 6)
    tmp_path.mkdir(exist_ok=True)
    with pytest.warns(UserWarning, match="torch.distributed is disabled"):
        save_shards(state(6).checkpoint(config="a: 1", classes=("x",), whole=False), path, ALONE)
    return path


def test_a_sharded_checkpoint_reads_as_a_whole_one(folder):
    expected = state(6).checkpoint(config="a: 1", classes=("x",))
    for loaded in (load_checkpoint(folder), load_shards(folder, expected.model)):
        assert (loaded.step, loaded.config, loaded.classes) == (6, "a: 1", ("x",))
        assert loaded.model.keys() == expected.model.keys()
        assert all(torch.equal(loaded.model[key], value) for key, value in expected.model.items())
        assert torch.equal(
            loaded.optimizer["state"]["weight"]["exp_avg"], expected.optimizer["state"]["weight"]["exp_avg"]
        )
    store = Store(folder=folder.parent, parallel=ALONE)
    run, start = state(1), store.find_start(None)
    store.restore(run, store.open(start), start)
    assert torch.equal(run.model.weight, expected.model["weight"])


@pytest.mark.parametrize("name", [".metadata", "__0_0.distcp", "run.pt", "checksums.json"])
def test_a_damaged_part_is_found(folder, name):
    flip(folder / name)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["__0_0.distcp", "run.pt", "checksums.json"])
def test_a_missing_part_is_found(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        verify_shards(folder)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_a_folder_that_would_run_code_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / ".metadata").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="mkdir, which has no place in it"):
        SafeReader(folder).read_metadata()
    assert not (tmp_path / "trapped").exists()


def test_a_folder_is_written_anew_over_what_stood_there(folder, tmp_path):
    aside = folder.with_name(folder.name + ASIDE)
    aside.mkdir()
    (aside / "half").write_text("left by a process that was killed")
    other = shards_path(tmp_path / "further" / "down", 6)
    for path in (folder, other):
        with pytest.warns(UserWarning, match="torch.distributed is disabled"):
            save_shards(state(7).checkpoint(config="b: 2", classes=("y",), whole=False), path, ALONE)
        assert (load_checkpoint(path).config, read_rest(path).classes) == ("b: 2", ("y",))
        assert sorted(file.name for file in path.iterdir()) == [".metadata", "__0_0.distcp", "checksums.json", "run.pt"]
        assert [each.name for each in path.parent.iterdir() if each.name.endswith(ASIDE)] == []
    assert folder.name == "step_00000006.shards"


def test_a_write_that_fails_leaves_what_was_there(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vidtok.train.shards.save", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_shards(state(7).checkpoint(config="b: 2", classes=("y",), whole=False), folder, ALONE)
    assert load_checkpoint(folder).config == "a: 1"
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]


def test_tensors_are_taken_out_and_put_back():
    whole = state(3).checkpoint(config="a: 1", classes=("x",))
    whole = replace(whole, ema={"weight": torch.full((2,), 5.0)})
    tensors, rest = take_tensors(whole)
    assert {key.split("/")[0] for key in tensors} == {"model", "ema", "optimizer"}
    assert not rest.model
    assert not rest.ema
    states = rest.optimizer["state"]
    assert not any(isinstance(value, torch.Tensor) for own in states.values() for value in own.values())
    again = put_tensors(rest, tensors)
    assert torch.equal(again.ema["weight"], whole.ema["weight"])
    assert again.model.keys() == whole.model.keys()
    assert again.optimizer["state"].keys() == whole.optimizer["state"].keys()
    for name, own in whole.optimizer["state"].items():
        assert again.optimizer["state"][name].keys() == own.keys()


def test_a_length_and_a_sum_each_tell(folder):
    sums = json.loads((folder / "checksums.json").read_text())
    assert set(sums) == {".metadata", "__0_0.distcp", "run.pt"}
    assert sums["run.pt"] == [(folder / "run.pt").stat().st_size, zlib.crc32((folder / "run.pt").read_bytes())]
    for place in (0, 1):
        changed = {**sums, "run.pt": [each + (number == place) for number, each in enumerate(sums["run.pt"])]}
        (folder / "checksums.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=r"damaged: run\.pt is missing, cut off or changed"):
            verify_shards(folder)
