"""Exchanges between real processes over gloo, and what one process alone does."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.ranks import run_ranks
from vidtok.errors import ConfigError
from vidtok.train import parallel
from vidtok.train.parallel import Parallel, cpu_quota, fair_threads, start_parallel, usable_cores

SCRIPT = """
import json, sys, torch
from vidtok.train.parallel import start_parallel
with start_parallel("cpu") as p:
    total = p.sum(torch.tensor([p.rank + 1.0, 1.0])).tolist()
    counts = p.totals(p.rank, 2**40)
    things = p.gather({"rank": p.rank})
    layer = p.wrap(torch.nn.Linear(2, 1, bias=False))
    layer(torch.full((1, 2), float(p.rank))).sum().backward()
    gradient = next(layer.parameters()).grad.tolist()
    p.wait()
    if p.is_main:
        json.dump([p.world, total, counts, things, gradient], open(sys.argv[1], "w"))
"""


@pytest.mark.slow
def test_three_processes_exchange(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [*launch, tmp_path / "script.py", tmp_path / "out.json"], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    world, total, counts, things, gradient = json.loads((tmp_path / "out.json").read_text())
    assert world == 3
    assert total == [6.0, 3.0]
    assert counts == [3, 3 * 2**40]
    assert things == [{"rank": 0}, {"rank": 1}, {"rank": 2}]
    assert gradient == [[1.0, 1.0]]  # the mean of 0, 1 and 2


def test_one_process_stands_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with start_parallel("cpu") as alone:
        assert (alone.rank, alone.world, alone.is_main) == (0, 1, True)
        layer = torch.nn.Linear(1, 1)
        assert alone.wrap(layer) is layer
        assert alone.gather("x") == ["x"]
        assert alone.totals(3, 0) == [3, 0]
        assert alone.sum(torch.tensor(2.0)).item() == 2.0


def test_one_process_is_never_sharded():
    assert not Parallel(device=torch.device("cpu"), form="fsdp2").sharded
    assert not Parallel(device=torch.device("cpu"), world=2).sharded
    assert Parallel(device=torch.device("cpu"), world=2, form="fsdp2").sharded


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="a parent's environment is read under /proc")
@pytest.mark.parametrize(
    ("said", "given", "shared"),
    [
        (None, None, True),  # nobody said anything
        (None, "1", True),  # torchrun did
        ("1", "1", False),  # the user did
        ("3", "3", False),
    ],
)
def test_processes_share_the_cores_where_the_user_says_nothing(monkeypatch, said, given, shared):
    def environment(threads):
        if threads is None:
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", threads)

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(9))
    environment(said)
    with subprocess.Popen(["sleep", "60"]) as torchrun:
        monkeypatch.setattr(os, "getppid", lambda: torchrun.pid)
        while not Path(f"/proc/{torchrun.pid}/environ").read_bytes():
            time.sleep(0.01)  # it has only just become another program
        environment(given)
        try:
            assert fair_threads() == (4 if shared else None)
        finally:
            torchrun.kill()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_device_is_told():
    with pytest.raises(ConfigError, match=r"`device`=cuda, but torch finds no CUDA device"), start_parallel("cuda"):
        pass


def control_groups(folder, path, files):
    """A folder like /sys/fs/cgroup, and what /proc says of a process in the group `path`."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    (folder / "own").write_text(path)
    return {"groups": folder, "own": folder / "own"}


@pytest.mark.parametrize(
    ("path", "files", "quota"),
    [
        ("0::/", {"cpu.max": "200000 100000"}, 2.0),  # docker --cpus=2
        ("0::/", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {}, None),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3.0),
        ("0::/a/b", {"a/b/cpu.max": "150000 100000", "a/cpu.max": "300000 100000"}, 1.5),
        ("0::/../gone", {"cpu.max": "200000 100000"}, 2.0),  # of a group above those in sight
        (
            "7:memory:/m\n4:cpu,cpuacct:/docker/1\n",
            {"cpu/docker/1/cpu.cfs_quota_us": "250000", "cpu/docker/1/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        (
            "4:cpu,cpuacct:/docker/1\n",  # the group is the root of what is in sight
            {"cpu,cpuacct/cpu.cfs_quota_us": "400000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            4.0,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_a_containers_share_of_the_processors_is_read(tmp_path, path, files, quota):
    assert cpu_quota(**control_groups(tmp_path, path, files)) == quota


def test_cores_are_those_of_the_quota(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    for quota, cores in ((None, 8), (2.0, 2), (2.5, 3), (0.1, 1), (64.0, 8)):
        monkeypatch.setattr(parallel, "cpu_quota", lambda quota=quota: quota)
        assert usable_cores() == cores
    assert cpu_quota(groups=tmp_path, own=tmp_path / "none") is None


def late(minutes: float) -> None:
    """In every process: the first one comes two seconds late."""
    with start_parallel("cpu", wait_minutes=minutes) as found:
        found.wait()
        if found.is_main:
            time.sleep(2)
        found.wait()


@pytest.mark.slow
def test_processes_wait_for_each_other_as_long_as_they_are_told():
    # Nobody who waits a minute loses the late one, and whoever waits half a second does.
    for minutes, met in ((1.0, True), (0.5 / 60, False)):
        done = run_ranks(late, minutes, processes=2)
        assert (done.returncode == 0) == met, done.stderr
        assert ("Timed out" in done.stderr) == (not met)


def test_a_device_that_is_none_is_not_taken_for_another():
    with pytest.raises(ConfigError, match=r"`device` is auto, cpu, cuda, got 'gpu'"), start_parallel("gpu"):
        pass
