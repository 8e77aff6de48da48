"""`vidtok fit` on the list of the page, in a process of its own, whose words go to the page."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from vidtok.page.limits import Limits, Refusal
from vidtok.text.console import printable

STOP_SECONDS = 5.0
MOST_LOG = 64 * 1024
"""Characters of the log that are told at once."""


@dataclass(kw_only=True)
class Fits:
    """Fits of one list, one at a time. `options`: what else `vidtok fit` is told; one ends after `most_minutes`."""

    source: Path
    root: Path
    out: Path
    log: Path
    options: Sequence[str] = ()
    most_minutes: float = Limits.fit_minutes
    _process: subprocess.Popen[bytes] | None = None
    _file: IO[bytes] | None = None
    _timer: threading.Timer | None = None
    _state: str = "none"
    _done: list[Path] = field(default_factory=list)

    def start(self) -> None:
        """Refusal where one is at work."""
        if self.state == "running":
            raise Refusal(status=409, words="a fit is at work already; wait for its end, or stop it")
        command = [sys.executable, "-m", "vidtok", "fit", str(self.source), "--out", str(self.out)]
        command += ["--root", str(self.root), "--format", "csv", *self.options]
        self._close()
        self._file = open(self.log, "wb")  # noqa: SIM115 (the process writes it)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it goes with all its own processes, and Ctrl-C is the server's
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._state = "running"
        # It ends in time whether anybody looks at the page or not.
        self._timer = threading.Timer(
            min(60 * self.most_minutes, threading.TIMEOUT_MAX), self._too_long, [self._process]
        )
        self._timer.daemon = True
        self._timer.start()

    @property
    def state(self) -> str:
        """none, running, done, failed or stopped."""
        if self._state == "running" and self._process is not None and self._process.poll() is not None:
            self._state = "done" if self._process.returncode == 0 else "failed"
            if self._state == "done":
                self._done.append(self.out)
        return self._state

    def take_done(self) -> list[Path]:
        """The runs that have ended well since this was asked last."""
        _ = self.state
        done, self._done = self._done, []
        return done

    def told(self, start: int = 0) -> dict[str, Any]:
        """For JSON: the state, and the log from character `start` on, with where it goes on."""
        text = ""
        if self.log.exists():
            text = printable(self.log.read_bytes().decode("utf-8", "replace")).replace(str(self.root) + os.sep, "")
        part = text[start : start + MOST_LOG]
        return {"state": self.state, "log": part, "next": start + len(part), "run": printable(str(self.out))}

    def stop(self) -> None:
        """End the one at work, with all its processes."""
        if self.state == "running" and self._process is not None:
            end(self._process)
            self._state = "stopped"
        self._close()

    def _too_long(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            end(process)
            with open(self.log, "ab") as log:
                log.write(f"ended: it took longer than {self.most_minutes:g} minutes, the most of a fit\n".encode())

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file is not None:
            self._file.close()
            self._file = None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its group, with all of that: asked first, then killed."""
    for way, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, way)
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break
