"""The processes of a run, forked from one that has imported torch: what torchrun starts, without its imports.

Torchrun itself stands in tests/train/test_parallel.py and in the kills of tests/runs/test_train_kill.py.
"""

import importlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path

from vidtok.cli import guarded

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("torch.distributed", "vidtok.runs.train", "vidtok.runs.test")
USED_LATER = (
    *("torch._dynamo", "torch.utils.tensorboard", "timm", "timm.optim", "torchvision"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg"),
)
"""What a run imports on its way: five seconds for every process that does it by itself."""


def command(name: str, words: list[str]) -> int:
    """A command of the package, as its script calls it."""
    return guarded(importlib.import_module(f"vidtok.cli.{name}").run, words)


def as_rank(
    target: Callable[..., int | None], arguments: tuple, environment: dict[str, str], said: tuple[str, str]
) -> None:
    """In a process of its own: call the target in the environment that torchrun would give it."""
    multiprocessing.set_start_method("fork", force=True)  # of the loader's workers, as in a process that was not forked
    os.chdir(ROOT)
    os.environ.update(environment)
    for number, path in enumerate(said, start=1):
        with open(path, "ab") as file:
            os.dup2(file.fileno(), number)
    sys.exit(target(*arguments))


def forking():
    """What new processes are forked from; it imports once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*COMMANDS, *USED_LATER])
    return context


class Forked:
    """A command in the background, like subprocess.Popen's, all that it says at the end of a file."""

    def __init__(self, name: str, words: list[str], *, log: Path):
        arguments = (command, (name, words), {"OMP_NUM_THREADS": "1"}, (str(log), str(log)))
        self._process = forking().Process(target=as_rank, args=arguments)
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (status := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0.0)
        return status


def run_ranks(
    target: Callable[..., int | None], *arguments, processes: int, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Call `target` in every process; when one fails the others are ended, as torchrun does, and the status is 1."""
    context = forking()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "OMP_NUM_THREADS": "1"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with tempfile.TemporaryDirectory() as folder:
        ranks = []
        for rank in range(processes):
            own = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            said = f"{folder}/out{rank}", f"{folder}/errors{rank}"
            ranks.append(context.Process(target=as_rank, args=(target, arguments, own, said)))
            ranks[-1].start()
        end = time.monotonic() + timeout
        try:
            waiting = {rank.sentinel: rank for rank in ranks}
            while waiting and not any(rank.exitcode for rank in ranks):
                ended = connection.wait(list(waiting), timeout=max(0.0, end - time.monotonic()))
                if not ended:
                    raise subprocess.TimeoutExpired(str(target), timeout)
                for sentinel in ended:
                    waiting.pop(int(sentinel)).join()
            for rank in ranks:
                rank.join(5)  # the others say what they have to say
        finally:
            for rank in ranks:
                rank.terminate()
                rank.join(10)
                rank.kill()
        said = [
            "".join((Path(folder) / f"{name}{rank}").read_text() for rank in range(processes))
            for name in ("out", "errors")
        ]
    status = int(any(rank.exitcode for rank in ranks)) if processes > 1 else ranks[0].exitcode
    return subprocess.CompletedProcess((str(target), *map(str, arguments)), status, *said)
