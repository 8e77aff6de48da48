"""Which checkpoints of a run are kept, and from which one it goes on."""

import zipfile

import pytest
import torch
from torch import nn

from tests.defaults import function_defaults
from vidtok.errors import CheckpointError
from vidtok.train import shards
from vidtok.train import store as store_module
from vidtok.train.checkpoint import list_checkpoints
from vidtok.train.opening import load_checkpoint
from vidtok.train.parallel import Parallel
from vidtok.train.state import RunState
from vidtok.train.store import Start, Store

ALONE = Parallel(device=torch.device("cpu"))


def state(step=0):
    torch.manual_seed(step)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    run = RunState(model=model, optimizer=optimizer)
    run.progress.step = step
    return run


def filled(folder, steps, **options):
    store = Store(folder=folder, parallel=ALONE, **options)
    return store, [store.save(state(step), config="a: 1", classes=("x",)) for step in steps]


def flip(path):
    """Change one bit of a file: of its pickle where it is one of torch's, whose gaps do not count."""
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    if path.suffix == ".pt":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
        place = data.index(content) + len(content) // 2
    data[place] ^= 1
    path.write_bytes(data)


def test_a_new_run_has_no_start(tmp_path):
    assert Store(folder=tmp_path / "none", parallel=ALONE).find_start(None) is None
    with pytest.raises(CheckpointError, match="`resume`, but there is no checkpoint"):
        Store(folder=tmp_path / "none", parallel=ALONE).find_start("")


def test_the_newest_is_the_start_and_what_was_half_written_is_gone(tmp_path):
    store, paths = filled(tmp_path, [2, 4, 6], keep=3)
    (tmp_path / "step_00000008.pt.tmp").write_bytes(b"half")
    start = store.find_start("elsewhere.pt")
    assert (start.path, start.notes) == (paths[-1], ())
    assert not list(tmp_path.glob("*.tmp"))
    run = state(9)
    store.restore(run, store.open(start), start)
    assert run.progress.step == 6
    assert torch.equal(run.model.weight, state(6).model.weight)


def test_a_damaged_newest_falls_back_to_the_one_before_and_says_so(tmp_path):
    store, paths = filled(tmp_path, [2, 4, 6, 8], keep=4)
    flip(paths[3])
    paths[2].write_bytes(paths[2].read_bytes()[:-40])
    start = store.find_start(None)
    assert start.path == paths[1]
    assert len(start.notes) == 2
    assert f"{paths[3]}: damaged" in start.notes[0]
    assert "step_00000008.pt.damaged" in start.notes[0]
    assert all(f"the run goes on from the one before: {paths[1]}" in note for note in start.notes)
    # The damaged ones take no whole one's place when the next is saved.
    assert list_checkpoints(tmp_path) == paths[:2]
    assert store.find_start(None).notes == ()


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_anew(tmp_path):
    store, paths = filled(tmp_path, [2, 4])
    for path in paths:
        flip(path)
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"no checkpoint of this run is whole; move the folder away"):
            store.find_start(None)


def test_another_runs_checkpoint_is_the_start_of_a_new_one(tmp_path):
    _, paths = filled(tmp_path / "a" / "checkpoints", [2, 4])
    store = Store(folder=tmp_path / "b", parallel=ALONE)
    assert store.find_start(str(tmp_path / "a")).path == paths[-1]
    assert store.find_start(str(paths[0])).path == paths[0]
    flip(paths[0])
    with pytest.raises(CheckpointError, match="damaged"):
        store.find_start(str(paths[0]))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        store.find_start(str(tmp_path / "c.pt"))


def test_the_best_stays_when_the_others_go(tmp_path):
    store, _ = filled(tmp_path, [2])
    run = state(4)
    run.progress.is_best({"top1": 0.5})
    best = store.save_best(run, config="a: 1", classes=("x",))
    for step in (6, 8, 10):
        store.save(state(step), config="a: 1", classes=("x",))
    assert {path.name for path in tmp_path.iterdir()} == {"best.pt", "step_00000008.pt", "step_00000010.pt"}
    assert load_checkpoint(best).best == {"step": 4, "top1": 0.5}
    assert store.find_start(None).path.name == "step_00000010.pt"


SHARDS = Parallel(device=torch.device("cpu"), form="fsdp2", world=2)


@pytest.mark.parametrize("parallel", [ALONE, SHARDS], ids=["whole", "in parts"])
@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_parts_are_read_by_a_run_in_parts_from_a_folder_alone(tmp_path, monkeypatch, parallel, folder):
    path = tmp_path / ("step_00000004.shards" if folder else "step_00000004.pt")
    if folder:
        path.mkdir()
    done, run = [], state(4)
    checkpoint = run.checkpoint(config="a: 1", classes=("x",))
    for name in ("read_rest", "load_whole", "load_shards", "read_packed"):
        module = store_module if name == "read_packed" else shards
        monkeypatch.setattr(module, name, lambda *_, name=name, **__: done.append(name) or checkpoint)
    monkeypatch.setattr(RunState, "restore", lambda *_, source, **__: done.append(source))
    monkeypatch.setattr(RunState, "check_finite", lambda *_: None)  # which asks the other processes
    store, start = Store(folder=tmp_path, parallel=parallel), Start(path=path)
    store.restore(run, store.open(start), start)
    parts = folder and parallel is SHARDS
    expected = ["read_rest", "load_shards"] if parts else ["load_whole" if folder else "read_packed"]
    assert done == [*expected, path]


def test_a_damaged_folder_steps_aside(tmp_path):
    store, (whole,) = filled(tmp_path, [4])
    (tmp_path / "step_00000006.shards").mkdir()
    (tmp_path / "step_00000006.shards" / "checksums.json").write_text('{"run.pt": [10, 3]}')
    assert store.find_start(None).path == whole
    assert (tmp_path / "step_00000006.shards.damaged").is_dir()


def test_a_run_goes_on_with_its_moments_and_its_segment():
    assert function_defaults(Store.restore) == {"new_segment": False, "moments": True}
