"""Runs that are killed, again and again: what they come to is bitwise what an undisturbed run comes to."""

import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from tests.conftest import small_run, tool_options
from tests.ranks import Forked, run_ranks
from tests.ranks import command as run_command
from tests.runs.training import assert_same
from vidtok.train.checkpoint import list_checkpoints
from vidtok.train.opening import load_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found under /proc"),
]

STEPS = 64
SCRIPT = "tools/train_net.py"
SETTINGS = [
    f"train.steps={STEPS}",
    "train.save_every=2",
    "train.accumulate=2",
    "train.ema_decay=0.9",
    "train.mixup_alpha=0.4",
    "data.augment.color_jitter_prob=0.5",
    "data.workers=2",
]
FSDP2 = ["train.parallel=fsdp2", "train.sharded_checkpoints=true"]


def command(motion, run, *settings, processes=1, restarts=0):
    """The words of a run: of `vidtok train` alone, or all of torchrun's."""
    words = [*small_run(motion, run), *SETTINGS, *settings]
    many = ["--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", *many, SCRIPT]
    return [*launch, *words] if processes > 1 else words


@contextmanager
def started(arguments, log):
    """A run in the background that writes all it says into a file; nothing of it is left at the end."""
    if arguments[0] == sys.executable:
        options = {key: value for key, value in tool_options().items() if key in ("cwd", "env")}
        with open(log, "a") as said:
            process = subprocess.Popen(
                arguments, stdout=said, stderr=subprocess.STDOUT, start_new_session=True, **options
            )
    else:
        process = Forked("train", [str(word) for word in arguments], log=log)
    try:
        yield process
    finally:
        for each in (*descendants(process.pid), process.pid):
            kill(each)
        process.wait()


def finish(arguments, log):
    """To the end, undisturbed; of several processes without torchrun, which takes seconds to start each of them."""
    if arguments[0] == sys.executable:
        many, words = arguments[arguments.index("--nproc-per-node") + 1], arguments[arguments.index(SCRIPT) + 1 :]
        done = run_ranks(run_command, "train", [str(word) for word in words], processes=int(many))
        with open(log, "a") as said:
            said.write(done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr[-4000:]
        return
    with started(arguments, log) as process:
        assert process.wait(timeout=280) == 0, log.read_text()[-4000:]


def children(process):
    try:
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def descendants(process):
    own = children(process)
    return own + [each for child in own for each in descendants(child)]


def kill(process, number=signal.SIGKILL):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def steps_said(log):
    return [int(step) for step in re.findall(rf"^step (\d+)/{STEPS} \| loss", log.read_text(), flags=re.MULTILINE)]


def later(log, chance, *, kills):
    """A step to be killed after, so that this many kills and the steps that follow them at once have room before the
    end, however fast the machine is."""
    now = max(steps_said(log), default=0)
    return now + chance.randint(1, max(1, (STEPS - 8 - now) // (2 * kills)))


def wait_until(true, process, log, seconds=200):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, log.read_text()[-4000:]
        assert process.poll() is None, log.read_text()[-4000:]
        time.sleep(0.002)


def state(run):
    """The last checkpoint, as a plain dictionary."""
    newest = list_checkpoints(run / "checkpoints")[-1]
    checkpoint = load_checkpoint(newest)
    assert checkpoint.step == STEPS
    assert checkpoint.ema
    parts = {"model": checkpoint.model, "ema": checkpoint.ema, "optimizer": checkpoint.optimizer}
    return {name: dict(part) for name, part in parts.items()}


@pytest.fixture(scope="module")
def whole(motion, tmp_path_factory):
    """The end of an undisturbed run, by the number of processes and further settings."""
    made = {}

    def of(processes, *settings):
        if (processes, settings) not in made:
            folder = tmp_path_factory.mktemp("whole")
            finish(command(motion, folder / "run", *settings, processes=processes), folder / "log")
            made[processes, settings] = state(folder / "run")
        return made[processes, settings]

    return of


@pytest.fixture
def chance():
    seed = secrets.randbits(32)
    print(f"the moments follow from seed {seed}")
    return random.Random(seed)


def test_one_process_killed_at_ten_moments(motion, whole, chance, tmp_path):
    arguments, log = command(motion, tmp_path / "run"), tmp_path / "log"
    log.touch()
    for number in range(10):
        with started(arguments, log) as process:
            step = later(log, chance, kills=10 - number)
            if number in (3, 7):  # anywhere in its start
                end, said = time.monotonic() + chance.uniform(0, 1), len(steps_said(log))
                wait_until(
                    lambda end=end, said=said: time.monotonic() > end or len(steps_said(log)) > said, process, log
                )
            else:
                wait_until(lambda step=step: max(steps_said(log), default=0) >= step, process, log)
                time.sleep(chance.uniform(0, 0.05))
            assert process.poll() is None, "the run was over before it could be killed"
            kill(process.pid)
    finish(arguments, log)
    assert len(re.findall("going on from", log.read_text())) >= 6
    assert_same(state(tmp_path / "run"), whole(1))


@pytest.mark.parametrize(("settings", "kills"), [([], 2), (FSDP2, 1)])
def test_processes_of_two_killed_and_started_again_by_torchrun(motion, whole, chance, tmp_path, settings, kills):
    arguments = command(motion, tmp_path / "run", *settings, processes=2, restarts=kills)
    log = tmp_path / "log"
    log.touch()
    with started(arguments, log) as process:
        for number in range(kills):
            step = later(log, chance, kills=kills - number)
            wait_until(lambda step=step: max(steps_said(log), default=0) >= step, process, log)
            time.sleep(chance.uniform(0, 0.05))
            ranks = children(process.pid)
            assert len(ranks) == 2
            kill(chance.choice(ranks))
            wait_until(lambda ranks=ranks: not set(ranks) & set(children(process.pid)), process, log)
        assert process.wait(timeout=280) == 0, log.read_text()[-4000:]
    assert_same(state(tmp_path / "run"), whole(2, *settings))


def test_killed_while_a_checkpoint_is_being_written(motion, whole, tmp_path):
    arguments, log, folder = command(motion, tmp_path / "run"), tmp_path / "log", tmp_path / "run" / "checkpoints"
    log.touch()
    for _ in range(5):
        with started(arguments, log) as process:
            wait_until(lambda: list_checkpoints(folder), process, log)
            while process.poll() is None and not list(folder.glob("*.tmp")):
                pass
            kill(process.pid)
        if list(folder.glob("*.tmp")):
            break
    else:
        raise AssertionError("no kill came while a checkpoint was being written")
    for path in list_checkpoints(folder):
        load_checkpoint(path)
    finish(arguments, log)
    assert not list(folder.glob("*.tmp"))
    assert_same(state(tmp_path / "run"), whole(1))


def test_a_loader_worker_is_killed(motion, whole, tmp_path):
    arguments, log = command(motion, tmp_path / "run"), tmp_path / "log"
    log.touch()
    with started(arguments, log) as process:
        wait_until(lambda: len(steps_said(log)) >= 5, process, log)
        kill(children(process.pid)[-1])
        assert process.wait(timeout=60) == 2
    said = log.read_text()
    assert "error: a worker process that decodes videos has died" in said
    assert "Traceback" not in said
    finish(arguments, log)
    assert_same(state(tmp_path / "run"), whole(1))


def test_torchrun_asked_to_stop_saves_and_goes_on_later(motion, whole, tmp_path):
    arguments, log = command(motion, tmp_path / "run", processes=2), tmp_path / "log"
    log.touch()
    with started(arguments, log) as process:
        wait_until(lambda: len(steps_said(log)) >= 5, process, log)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    assert "the same command goes on from" in log.read_text()
    (step,) = re.findall(rf"stopped after step (\d+) of {STEPS}", log.read_text())
    assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1].stem == f"step_{int(step):08d}"
    finish(arguments, log)
    assert_same(state(tmp_path / "run"), whole(2))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "none", place], check=False).returncode:
        pytest.skip("a file system of its own is for the superuser")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_ends_the_run_and_the_older_checkpoint_stays(motion, small_disk):
    run, log = small_disk / "run", small_disk.parent / "log"
    log.touch()
    arguments = [*command(motion, run), "model.width=48"]
    with started(arguments, log) as process:
        # The first checkpoint is written; then all but a little of what is left is taken.
        wait_until(lambda: list_checkpoints(run / "checkpoints"), process, log)
        free = os.statvfs(small_disk)
        (small_disk / "rest").write_bytes(b"x" * max(free.f_bavail * free.f_frsize - 20_000, 0))
        assert process.wait(timeout=60) == 2
    said = log.read_text()
    assert re.search(
        r"error: .*step_\d+\.pt: the checkpoint cannot be written: .*No space left.*the older ones are whole", said
    )
    assert "Traceback" not in said
    kept = list_checkpoints(run / "checkpoints")
    assert kept
    assert all(load_checkpoint(path).step > 0 for path in kept)
    assert not list((run / "checkpoints").glob("*.tmp"))
    assert torch.load(kept[-1], weights_only=True)["step"] < STEPS
