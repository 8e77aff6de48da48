"""The worker: a process that has the models, and may be killed; what stands on both sides of its pipe."""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from typing import Any, Protocol, runtime_checkable

from vidtok.choices import Device
from vidtok.errors import VidtokError

STOP_SECONDS = 2.0
Event = tuple[str, Any]
"""stage (words, share), part (of the result), done, failed (words)."""


class Ended(Exception):
    """The worker is no more; how it ended, in words."""


def server_context() -> BaseContext:
    """How workers are started: by a process that has imported everything and has neither threads nor connections.

    A fork of the server itself would hold on to its visitors' connections.
    """
    ways = multiprocessing.get_all_start_methods()
    if "forkserver" not in ways:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vidtok.page.look"])
    return context


@runtime_checkable
class Worker(Protocol):
    """What does tasks, one at a time; the queue's thread has it."""

    def give(self, task: Mapping[str, Any]) -> None:
        """Begin with a task; events follow."""
        ...

    def news(self, seconds: float) -> Event | None:
        """The next event, or nothing within so much time. Ended where it is no more."""
        ...

    def ask(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The whole result of a task, when it is done. VidtokError with its words where it fails."""
        ...

    def stop(self) -> None:
        """Whatever it is doing; the next task begins anew."""
        ...


@dataclass(kw_only=True)
class ProcessWorker:
    """The server's side: the process is started when it is wanted, and anew when it has been stopped or has died."""

    device: Device = "auto"
    allow_plugins: bool = False
    context: BaseContext = field(default_factory=server_context)
    _process: Any = None
    _pipe: Any = None

    def give(self, task: Mapping[str, Any]) -> None:
        if self._process is None or not self._process.is_alive():
            self.stop()
            ours, theirs = self.context.Pipe()
            process = self.context.Process(  # type: ignore[attr-defined] (every context has it)
                target=work, args=(theirs, self.device, self.allow_plugins), daemon=True, name="vidtok-page-worker"
            )
            process.start()
            theirs.close()
            self._process, self._pipe = process, ours
        assert self._pipe is not None
        try:
            self._pipe.send(dict(task))
        except OSError as error:
            raise Ended(self._end()) from error

    def news(self, seconds: float) -> Event | None:
        assert self._pipe is not None
        try:
            return self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, OSError) as error:
            raise Ended(self._end()) from error

    def ask(self, task: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        self.give(task)
        while True:
            event = self.news(1.0)
            if event is None:
                continue
            what, content = event
            if what == "part":
                result |= content
            elif what == "failed":
                raise VidtokError(content)
            elif what == "done":
                return result

    def stop(self) -> None:
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.terminate()
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def _end(self) -> str:
        self._process.join(STOP_SECONDS)
        code = self._process.exitcode
        how = "" if code is None else f", by signal {-code}" if code < 0 else f", with status {code}"
        return f"the process that looked at it ended{how}; the video may be damaged, or too large for this machine"


def work(pipe: Any, device: Device, allow_plugins: bool) -> None:
    """The process: one task after the other, until the server hangs up."""
    from vidtok.page.look import Looker  # torch and all that decodes: nothing that the server itself needs

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    looker = Looker(device=device, allow_plugins=allow_plugins)
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        try:
            looker.do(task, tell=lambda what, content: pipe.send((what, content)))
            pipe.send(("done", None))
        except VidtokError as error:
            pipe.send(("failed", str(error)))
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            words = f"something is wrong in the server itself ({type(error).__name__}); its console says what"
            pipe.send(("failed", words))
