"""Checkpoints: whole or not there, refused where they are damaged or do not fit."""

import errno
import os
import resource
import stat
import zipfile

import pytest
import torch
from torch import nn

from vidtok.errors import CheckpointError
from vidtok.train.checkpoint import (
    Checkpoint,
    find_checkpoint,
    list_checkpoints,
    load_weights,
    pack,
    remove,
    remove_unfinished,
    save_checkpoint,
    verify_file,
)
from vidtok.train.opening import load_checkpoint


class Net(nn.Module):
    def __init__(self, classes=("a", "b"), width=3):
        super().__init__()
        self.network = nn.ModuleDict({"body": nn.Linear(width, 4), "head": nn.Linear(4, len(classes))})
        self.classes = classes


def checkpoint(step=5, model=None, **options):
    model = model or Net()
    state = {
        "model": model.state_dict(),
        "optimizer": {"state": {"w": {"step": torch.tensor(3.0)}}, "param_groups": []},
    }
    return Checkpoint(
        **{"step": step, **state, "config": "a: 1", "classes": ("a", "b"), "bad": {"v7": "cut off"}, **options}
    )


def test_what_is_saved_comes_back(tmp_path):
    more = {"ema": {"w": torch.ones(2)}, "scaler": {"scale": 2.0}, "best": {"step": 4, "top1": 0.5}}
    more |= {"stale": 3, "lists": {"train": "24 records, ab"}, "segments": (0, 4), "description": {"network": "net"}}
    saved = checkpoint(**more)
    loaded = load_checkpoint(save_checkpoint(saved, tmp_path))
    assert (loaded.step, loaded.config, loaded.classes, loaded.bad) == (5, "a: 1", ("a", "b"), {"v7": "cut off"})
    assert all(torch.equal(loaded.model[key], value) for key, value in saved.model.items())
    assert torch.equal(loaded.optimizer["state"]["w"]["step"], torch.tensor(3.0))
    assert torch.equal(loaded.ema["w"], torch.ones(2))
    assert {name: getattr(loaded, name) for name in more if name != "ema"} == {
        k: v for k, v in more.items() if k != "ema"
    }


def test_older_checkpoints_are_read_and_their_rows_of_bad_videos_are_forgotten(tmp_path):
    content = pack(checkpoint())
    for name in ("stale", "lists", "segments"):
        del content[name]
    torch.save({**content, "format": "vidtok checkpoint 2", "bad": {7: "cut off"}}, tmp_path / "step_00000005.pt")
    loaded = load_checkpoint(tmp_path / "step_00000005.pt")
    assert (loaded.step, loaded.bad, loaded.lists, loaded.segments, loaded.stale) == (5, {}, {}, (0,), 0)


def test_only_the_newest_stay(tmp_path):
    (tmp_path / "best.pt").touch()
    for step in (1, 2, 3, 100000000):
        save_checkpoint(checkpoint(step), tmp_path, keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000003.pt", "step_100000000.pt"]
    assert (tmp_path / "best.pt").exists()


def test_a_disk_that_takes_no_more_leaves_the_older_one(tmp_path):
    older = save_checkpoint(checkpoint(1), tmp_path)
    large = checkpoint(2, ema={"w": torch.zeros(300_000)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, limits[1]))  # a write beyond it fails, as on a full disk
    try:
        with pytest.raises(
            CheckpointError, match=r"step_00000002.pt: .* cannot be written: .*File too large.*are whole"
        ):
            save_checkpoint(large, tmp_path, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == [older.name]
    assert load_checkpoint(older).step == 1


def test_a_disk_that_fails_at_the_end_leaves_the_older_one(tmp_path, monkeypatch):
    older = save_checkpoint(checkpoint(1), tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"step_00000002.*No space left"):
        save_checkpoint(checkpoint(2), tmp_path)
    assert os.listdir(tmp_path) == [older.name]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EISDIR])
@pytest.mark.parametrize("name", ["open", "fsync"])
def test_a_system_that_cannot_flush_folders_saves_all_the_same(tmp_path, monkeypatch, code, name):
    """Windows opens no folder; some network file systems refuse the flush."""
    real = {"open": os.open, "fsync": os.fsync}

    def refuse(what, *more, **options):
        folder = os.path.isdir(what) if name == "open" else stat.S_ISDIR(os.fstat(what).st_mode)
        if folder:
            raise OSError(code, os.strerror(code))
        return real[name](what, *more, **options)

    monkeypatch.setattr(os, name, refuse)
    assert load_checkpoint(save_checkpoint(checkpoint(), tmp_path)).step == 5
    code = errno.EIO
    with pytest.raises(CheckpointError, match=r"cannot be written: .*Input/output error"):
        save_checkpoint(checkpoint(6), tmp_path)


def test_weights_that_are_not_finite_are_refused_by_name():
    state = Net().state_dict()
    state["network.head.weight"][1, 2] = float("inf")
    with pytest.raises(
        CheckpointError, match=r"x\.pt: these weights cannot be used: network\.head\.weight is not finite"
    ):
        load_weights(Net(), state, source="x.pt")


def test_every_flipped_bit_is_found(tmp_path):
    path = save_checkpoint(checkpoint(), tmp_path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        weights = max((info for info in archive.infolist() if "/data/" in info.filename), key=lambda i: i.file_size)
        start = whole.index(archive.read(weights))
    for place in range(start, start + weights.file_size, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match="damaged: the checksum of its part"):
            load_checkpoint(path)
        torch.load(path, weights_only=True)  # torch itself does not see it
    path.write_bytes(whole)
    verify_file(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -200])
def test_files_that_are_cut_off_are_refused(tmp_path, keep):
    path = save_checkpoint(checkpoint(), tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


def test_files_that_are_none_are_refused(tmp_path):
    path = tmp_path / "step_00000005.pt"
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
    torch.save({"format": "vidtok checkpoint 2", "step": Trap()}, tmp_path / "step_00000001.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "step_00000001.pt")
    assert not (tmp_path / "trapped").exists()


def test_what_killed_runs_leave_is_removed(tmp_path):
    whole = save_checkpoint(checkpoint(1), tmp_path)
    (tmp_path / "step_00000002.pt.tmp").write_bytes(b"half")
    (tmp_path / "step_00000003.shards.tmp").mkdir()
    (tmp_path / "step_00000003.shards.tmp" / "run.pt").touch()
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]
    remove_unfinished(tmp_path / "none")


def test_a_checkpoint_in_parts_goes_whole_even_where_an_earlier_try_was_killed(tmp_path):
    parts, half = tmp_path / "step_00000003.shards", tmp_path / "step_00000003.shards.tmp"
    for folder in (parts, half):
        folder.mkdir()
        (folder / "run.pt").touch()
    remove(parts)
    assert not list(tmp_path.iterdir())
    parts.mkdir()
    remove(parts)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_run_stands_for_its_newest(tmp_path):
    newest = [save_checkpoint(checkpoint(step), tmp_path / "checkpoints") for step in (1, 2)][-1]
    assert find_checkpoint(tmp_path) == newest
    assert find_checkpoint(tmp_path / "checkpoints") == newest
    assert find_checkpoint(newest) == newest
    (tmp_path / "checkpoints" / "step_00000003.shards").mkdir()
    assert find_checkpoint(tmp_path).name == "step_00000003.shards"
    assert find_checkpoint(tmp_path / "checkpoints" / "step_00000003.shards").name == "step_00000003.shards"
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
