"""The queue: what visitors want looked at, one after the other, by the one worker."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidtok.page.limits import Limits, too_busy
from vidtok.page.worker import Ended, Worker

LOOK_SECONDS = 0.1
"""How often it is seen whether a job at work has been dropped or takes too long."""
OVER = ("done", "failed", "dropped")


@dataclass(eq=False, kw_only=True)
class Job:
    """One video, what is wanted of it, and what has become of it. The queue's thread writes, everybody reads."""

    task: Mapping[str, Any]
    """What the worker is told."""
    title: str
    """What the visitor calls the video."""
    folder: Path
    """Where its files lie."""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    upload_bytes: int = 0
    state: str = "waiting"
    """waiting, running, done, failed or dropped."""
    stage: str = ""
    share: float | None = None
    """Of the stage, where that is known."""
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def told(self, *, position: int) -> dict[str, Any]:
        """Everything that its visitor may know, for JSON. `position`: how many are before it."""
        return {
            "job": self.key,
            "title": self.title,
            "state": self.state,
            "position": position,
            "stage": self.stage,
            "share": self.share,
            "error": self.error,
            **self.result,
        }

    def fail(self, words: str) -> None:
        """`words` may name the file by its path here, which is nobody's business."""
        for path in (self.task.get("video"), self.task.get("film"), self.folder):
            if path:
                words = words.replace(str(path), self.title)
        self.error, self.state = words, "failed"


class Queue:
    """Jobs in the order in which they came. Its thread gives them to the worker and ends those that take too long."""

    def __init__(self, worker: Worker, limits: Limits):
        self._worker, self._limits = worker, limits
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self.is_closing = False
        self._thread = threading.Thread(target=self._work, name="vidtok-page-queue", daemon=True)
        self._thread.start()

    def check_room(self) -> None:
        """Refusal where one more would be too many."""
        with self._changed:
            if len(self._waiting) >= self._limits.waiting:
                raise too_busy(f"{len(self._waiting)} videos are waiting already")

    def put(self, job: Job) -> None:
        with self._changed:
            self.check_room()
            self._waiting.append(job)
            self._changed.notify()

    def position(self, job: Job) -> int:
        """How many come before it: 0 for the one at work, and for one that is over."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (self._running is not None)

    @property
    def length(self) -> int:
        with self._changed:
            return len(self._waiting) + (self._running is not None)

    def drop(self, job: Job) -> None:
        """Nobody wants it any more."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
            if not job.is_over:
                job.state = "dropped"

    def close(self) -> None:
        """End the one at work, and the worker."""
        self.is_closing = True
        with self._changed:
            self._changed.notify()
        self._thread.join(timeout=10)
        self._worker.stop()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                while not self._waiting and not self.is_closing:
                    self._changed.wait()
                if self.is_closing:
                    return
                job = self._running = self._waiting.popleft()
                job.state = "running"
            try:
                self._do(job)
            except Ended as error:
                self._worker.stop()
                job.fail(f"{job.title}: {error}")
            except Exception as error:  # the thread must live; what is wrong is told here and on the page
                self._worker.stop()
                job.fail(f"the server cannot go on with this video: {type(error).__name__}: {error}")

    def _do(self, job: Job) -> None:
        self._worker.give(job.task)
        end = time.monotonic() + self._limits.work_seconds
        while not job.is_over:
            if self.is_closing or time.monotonic() > end:
                self._worker.stop()
                job.fail(f"this took longer than {self._limits.work_seconds:g} s, the most that is given to a video")
                return
            event = self._worker.news(LOOK_SECONDS)
            if event is None:
                continue
            what, content = event
            if what == "stage":
                job.stage, job.share = content
            elif what == "part":
                job.result = {**job.result, **content}  # a new one: whoever reads the old one reads it whole
            elif what == "failed":
                job.fail(content)
            elif job.state == "running":
                job.state = "done"
        if job.state == "dropped":
            self._worker.stop()  # in the middle of its work: the next job begins with a new one
