"""Training runs in processes of their own, several at a time, each of which goes on where it was stopped."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch

from vidtok.build import build_lists
from vidtok.build_data import run_steps
from vidtok.build_resume import FREE_KEYS
from vidtok.config import Config
from vidtok.config_io import difference, load_config_text, to_yaml
from vidtok.errors import CheckpointError, DataError, TrainingError, VidtokError
from vidtok.runs.fold_words import Teller, Watched
from vidtok.runs.results import is_result_of
from vidtok.runs.train import run_train
from vidtok.train.checkpoint import list_checkpoints
from vidtok.train.parallel import usable_cores

LOOK_SECONDS = 1.0
"""How often the logs of the runs at work are looked at."""


@dataclass(frozen=True, kw_only=True)
class PartRun:
    """One run of several: its config, whose run.dir is its folder."""

    name: str
    config: Config
    lists: Mapping[str, str]
    """Lists that are written for the run: name in its folder -> content."""

    @property
    def folder(self) -> Path:
        return Path(str(self.config.run.dir))

    @property
    def steps(self) -> int:
        """The length of the run; epochs are counted in its list."""
        steps = self.config.train.steps
        return run_steps(self.config, len(build_lists(self.config).train)) if steps is None else steps

    @property
    def results(self) -> Path:
        """Written when the run has ended, by its test."""
        return self.folder / "test" / "results.json"

    @property
    def is_done(self) -> bool:
        """Whether there are results, and those of this config's own protocol and list: not of another test since."""
        return is_result_of(self.results, self.config)


def prepare(part: PartRun) -> None:
    """Write the run's config and lists; CheckpointError or DataError where it was started with others."""
    before = part.folder / "config.yaml"
    trained = bool(list_checkpoints(part.folder / "checkpoints"))
    if trained and before.is_file():
        old = load_config_text(before.read_text(encoding="utf-8"), source=str(before))
        if lines := difference(part.config, old, ignore=FREE_KEYS):
            raise CheckpointError(
                f"{part.folder}: this run was started with another configuration (now | then):\n  "
                + "\n  ".join(lines)
                + "\nUndo the change to go on, or set run.dir to another folder to start anew."
            )
    part.folder.mkdir(parents=True, exist_ok=True)
    for name, content in part.lists.items():
        path = part.folder / name
        if trained and path.is_file() and path.read_text(encoding="utf-8") != content:
            raise DataError(
                f"{path}: the table of folds has changed since this run was started; undo the change to go on, or set "
                f"run.dir to another folder to start anew"
            )
        path.write_text(content, encoding="utf-8")
    before.write_text(to_yaml(part.config), encoding="utf-8")
    if not part.is_done:
        part.results.unlink(missing_ok=True)  # of a test with other views or another list: it is to be tested anew


def run_parts(parts: Sequence[PartRun], *, jobs: int, tell: Callable[[PartRun], str]) -> int:
    """Run those that are not finished, `jobs` at a time, each in a process; 130 when Ctrl-C or SIGTERM stopped them.

    Then all have saved where they stand. Where the runs are, and what they warn of, is said as they go. Raises
    TrainingError for a run that failed, when the others have ended.
    """
    waiting = [part for part in parts if not part.is_done]
    for part in parts:
        if part not in waiting:
            print(f"{tell(part)} | done before", flush=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vidtok.runs.train"])  # imported once, not by each of them
    running: dict[int, tuple[Any, PartRun, float]] = {}
    watched: dict[int, Watched] = {}
    teller = Teller(lambda text: print(text, flush=True))
    failed: list[tuple[PartRun, int]] = []
    stopped, before = False, signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while (waiting and not stopped and not failed) or running:
            try:
                while waiting and len(running) < jobs and not stopped and not failed:
                    part, threads = waiting.pop(0), usable_cores() // jobs
                    arguments = str(part.folder), max(1, threads), multiprocessing.get_start_method()
                    process = context.Process(target=work, args=arguments, name=part.name)
                    process.start()
                    running[process.sentinel] = (process, part, time.monotonic())
                    watched[process.sentinel] = Watched(name=part.name, folder=part.folder, steps=part.steps)
                ended = connection.wait(list(running), timeout=LOOK_SECONDS)
                teller(list(watched.values()))
                for sentinel in ended:
                    assert isinstance(sentinel, int)
                    del watched[sentinel]
                    process, part, began = running.pop(sentinel)
                    process.join()
                    if process.exitcode == 0:
                        print(f"{tell(part)} | {time.monotonic() - began:.0f} s", flush=True)
                    elif not stopped:
                        failed.append((part, process.exitcode))
            except KeyboardInterrupt:
                # Once: they finish their step, save and leave. Twice: they leave at once.
                stopped = True
                print(f"stopping {len(running)} runs", flush=True)
                for process in multiprocessing.active_children():
                    process.terminate()
    finally:
        signal.signal(signal.SIGTERM, before)
    if failed:
        part, status = failed[0]
        words = (part.folder / "output.txt").read_text(encoding="utf-8").splitlines()[-4:]
        raise TrainingError(
            f"{part.name} ended with status {status}. The end of {part.folder / 'output.txt'}:\n  " + "\n  ".join(words)
        )
    if stopped:
        print("stopped; the same command goes on", flush=True)
    return 130 if stopped else 0


def work(folder: str, threads: int, start_method: str) -> None:
    """In a process of its own: train and test the run of this folder; everything that it says goes into output.txt."""
    multiprocessing.set_start_method(start_method, force=True)  # the loader's processes start as in any other run
    os.setpgid(0, 0)  # Ctrl-C is the parent's to answer; it sends SIGTERM, once for each Ctrl-C
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    with open(Path(folder) / "output.txt", "a", encoding="utf-8", errors="backslashreplace") as file:
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            # Videos that will not decode are counted at the end, over all folds.
            try:
                finished = run_train(Path(folder) / "config.yaml").finished
            except VidtokError as error:
                print(f"error: {error}", file=sys.stderr)
                sys.exit(2)
            except Exception:
                traceback.print_exc()
                sys.exit(1)
            sys.exit(0 if finished else 130)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
