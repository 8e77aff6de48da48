"""Sessions: a folder for each visitor, below one temporary folder, which is gone when the server is."""

import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from vidtok.page.jobs import Job
from vidtok.page.limits import Limits, Refusal, too_busy

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME, LOCK = "vidtok-page-", ".lock"


@dataclass
class Session:
    """A visitor, known by a key that nobody can guess."""

    key: str
    folder: Path
    seen: float
    jobs: dict[str, Job] = field(default_factory=dict)
    visits: int = 0
    """Requests of it that are being answered."""

    @property
    def upload_bytes(self) -> int:
        return sum(job.upload_bytes for job in self.jobs.values())


class Sessions:
    """Those that are there. `clock` counts seconds; `dropped` is told of every job that goes with its session."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic, dropped: Callable[[Job], None]):
        self.limits, self._clock, self._dropped = limits, clock, dropped
        remove_left_behind(Path(tempfile.gettempdir()))
        self.root = Path(tempfile.mkdtemp(prefix=NAME))
        self._lock = hold_lock(self.root)
        self._all: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._all)

    def open(self) -> Session:
        """A new one, where it must be in the place of an idle one without videos. Refusal where there is none."""
        self.sweep()
        if len(self._all) >= self.limits.sessions:
            idle = [each for each in self._all.values() if not each.jobs and self._clock() - each.seen > 60]
            if not idle:
                raise Refusal(status=503, words="too many people are here; come back in a few minutes")
            self.end(min(idle, key=lambda each: each.seen))
        key = secrets.token_urlsafe(24)
        session = Session(key=key, folder=Path(tempfile.mkdtemp(dir=self.root)), seen=self._clock())
        self._all[key] = session
        return session

    def find(self, key: str | None) -> Session | None:
        """The one of this key, which has been seen now; None where there is none, or no more."""
        session = self._all.get(key or "")
        if session is None:
            return None
        if self._idle(session):
            self.end(session)
            return None
        session.seen = self._clock()
        return session

    @contextlib.contextmanager
    def visit(self, session: Session) -> Iterator[None]:
        """It is not idle meanwhile, however long that takes. Refusal as `check_visits`."""
        self.check_visits(session)
        session.visits += 1
        try:
            yield
        finally:
            session.visits -= 1
            session.seen = self._clock()

    def check_visits(self, session: Session) -> None:
        """Refusal for more requests at once than a person makes."""
        if session.visits >= self.limits.visits:
            raise too_busy(f"{session.visits} requests of yours are being answered")

    def is_open(self, session: Session) -> bool:
        return self._all.get(session.key) is session

    def end(self, session: Session) -> None:
        """Remove it with all its files."""
        self._all.pop(session.key, None)
        for job in [*session.jobs.values()]:
            self.remove(session, job)
        shutil.rmtree(session.folder, ignore_errors=True)

    def remove(self, session: Session, job: Job) -> None:
        """Remove one video of it with its results."""
        session.jobs.pop(job.key, None)
        self._dropped(job)
        shutil.rmtree(job.folder, ignore_errors=True)

    def make_room(self, session: Session, *, spare: Job | None = None) -> None:
        """For one more video: the oldest ones of this session go, but for `spare`.

        Refusal where none of them is over, and where there is no room for another file.
        """
        while len(session.jobs) >= self.limits.kept:
            done = [job for job in session.jobs.values() if job.is_over and job is not spare]
            if not done:
                raise Refusal(status=429, words=f"{len(session.jobs)} of your videos are waiting; let one of them end")
            self.remove(session, done[0])
        held = sum(each.upload_bytes for each in self._all.values())
        if held + self.limits.upload_bytes > self.limits.store_bytes:
            raise Refusal(status=503, words="there is no room for another video; come back in a few minutes")

    def sweep(self) -> None:
        """End those to which nobody has come for a while."""
        for session in [each for each in self._all.values() if self._idle(each)]:
            self.end(session)

    def close(self) -> None:
        for session in [*self._all.values()]:
            self.end(session)
        self._lock.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _idle(self, session: Session) -> bool:
        return not session.visits and self._clock() - session.seen > self.limits.session_minutes * 60


def hold_lock(folder: Path) -> IO[str]:
    """The lock of a folder, held until it is closed or the process ends. OSError where another has it."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(folder / LOCK, "a", encoding="utf-8"))
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stack.pop_all()
        return file


def remove_left_behind(folder: Path) -> None:
    """What servers that were killed have left: their folders, whose locks nobody holds."""
    if fcntl is None:
        return
    for left in folder.glob(f"{NAME}*"):
        if not (left / LOCK).is_file() or left.is_symlink():
            continue
        with contextlib.suppress(OSError), hold_lock(left):
            shutil.rmtree(left, ignore_errors=True)
