"""One function over many files, in worker processes under watch: a file on which one dies or hangs is named"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any

import torch

from vidtok.errors import DecodeError, VidtokError

Work = Callable[[Any, Callable[[], None]], Any]
LOOK_SECONDS = 0.5  # how often silence is looked for
STOP_SECONDS = 2.0  # what the workers have for tidying up
NOTHING = -1
MOST_IDLE_DEATHS = 5  # of workers that had not begun a job: then something else is wrong


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of one job: its result, or the cause why there is none."""

    job: int
    process: int
    """Of the worker that had it."""
    result: Any = None
    cause: str | None = None


def each_file(work: Work, jobs: Sequence[Any], *, workers: int, timeout_seconds: float) -> Generator[Done, None, None]:
    """Call `work(job, alive)` for every job in worker processes; give what became of each one as it comes.

    `work` calls `alive` as a sign of life. A worker that is silent for `timeout_seconds` is killed; its job, that of a
    worker that died, and one with a DecodeError come with their cause, and the next job is begun. Any other error is
    not the file's fault: it is raised here. Ctrl-C reaches this process only; closing the iterator ends the workers.
    """
    # Not spawned where it can be helped: torch takes each new process seconds to import.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    waiting = deque(range(len(jobs)))
    crew = [_Worker(context, work) for _ in range(min(workers, len(jobs)))]
    idle_deaths = 0
    try:
        while True:
            for worker in crew:
                if worker.job == NOTHING and waiting:
                    worker.job = waiting.popleft()
                    worker.give(jobs[worker.job])
            busy = [worker for worker in crew if worker.job != NOTHING]
            if not busy:
                return
            wait([handle for worker in busy for handle in (worker.pipe, worker.process.sentinel)], timeout=LOOK_SECONDS)
            for place, worker in enumerate(crew):
                done = worker.news(timeout_seconds)
                died = worker.has_died()
                if done is None and died:
                    done = worker.news(timeout_seconds)  # it may have died since
                if done is not None:
                    idle_deaths = 0
                elif not died:
                    continue
                else:
                    idle_deaths += 1
                    if idle_deaths > MOST_IDLE_DEATHS:
                        raise RuntimeError(f"worker processes end before they begin ({worker.end()})")
                    if worker.job != NOTHING:
                        waiting.appendleft(worker.job)
                worker.job = NOTHING
                if died or worker.has_died():
                    worker.stop()
                    crew[place] = _Worker(context, work)
                if done is not None:
                    yield done
    finally:
        for worker in crew:
            worker.process.terminate()
        deadline = monotonic() + STOP_SECONDS
        for worker in crew:
            worker.process.join(max(0.0, deadline - monotonic()))
            worker.stop()


class _Worker:
    """A process, the pipe to it, and the job that it has."""

    def __init__(self, context: Any, work: Work):
        self.job = NOTHING
        self._alive = context.RawValue("d", monotonic())
        self._begun = context.RawValue("q", 0)  # how many jobs
        self._given = 0
        self.pipe, theirs = context.Pipe()
        arguments = (work, theirs, self._alive, self._begun, os.getpid())
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def give(self, job: Any) -> None:
        self._alive.value = monotonic()
        self._given += 1
        try:
            self.pipe.send(job)
        except OSError:  # the pipe of a process that has died idle: it is replaced, and the job begun anew
            self.process.join(STOP_SECONDS)

    def news(self, timeout_seconds: float) -> Done | None:
        """What became of the job, if that is known by now."""
        if self.job == NOTHING:
            return None
        pid = self.process.pid
        try:
            if self.pipe.poll():
                kind, answer = self.pipe.recv()
                if kind == "error":
                    raise answer
                return Done(job=self.job, process=pid, **{kind: answer})
        except (EOFError, ConnectionResetError):
            self.process.join(STOP_SECONDS)
        if self.has_died():
            if self._begun.value < self._given:
                return None
            return Done(job=self.job, process=pid, cause=f"the process that read it died ({self.end()})")
        if monotonic() - self._alive.value > timeout_seconds:
            self.process.kill()
            self.process.join()
            return Done(job=self.job, process=pid, cause=f"no frame came for {timeout_seconds:g} s: it hangs")
        return None

    def has_died(self) -> bool:
        return not self.process.is_alive()

    def end(self) -> str:
        """How a dead process ended."""
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit status {code}"
        return signal.Signals(-code).name + (", perhaps for want of memory" if -code == signal.SIGKILL else "")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


def _work(work: Work, pipe: Connection, alive: Any, begun: Any, parent: int) -> None:
    """What a worker does: jobs from the pipe, until it is told to end or its parent is gone."""
    torch.set_num_threads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that half-written files are removed

    def sign() -> None:
        alive.value = monotonic()

    while True:
        while not pipe.poll(LOOK_SECONDS):
            if os.getppid() != parent:
                return
        try:
            job = pipe.recv()
        except EOFError:
            return
        sign()
        begun.value += 1
        try:
            answer = ("result", work(job, sign))
        except DecodeError as error:
            answer = ("cause", str(error))
        except VidtokError as error:
            answer = ("error", error)
        except Exception:
            answer = ("error", RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))
        pipe.send(answer)
