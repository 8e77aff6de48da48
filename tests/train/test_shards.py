"""Sharded checkpoints: read as whole ones, checked part by part, and harmless. Real shards are in test_fsdp.py."""

import os
import pickle

import pytest
import torch

from tests.train.test_store import ALONE, flip, state
from vidtok.errors import CheckpointError
from vidtok.train.opening import load_checkpoint
from vidtok.train.shards import SafeReader, load_shards, save_shards, shards_path, verify_shards
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
