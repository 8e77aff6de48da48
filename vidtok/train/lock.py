"""One run in a folder at a time."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vidtok.errors import TrainingError
from vidtok.train.parallel import Parallel

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = ".lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes, also of other machines that share the file system, from training in this folder.

    The lock ends with the process, however it ends: it is POSIX's, which worker processes do not inherit and so cannot
    hold on to. Where the file system or the system has none, nothing is kept out.
    Raises TrainingError that names the process which has the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with open(path, "a+", encoding="utf-8") as file:
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise TrainingError(
                f"{folder}: another run is at work in this folder ({file.read().strip()}). "
                "Stop it, wait for its end, or set run.dir to another folder."
            ) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


@contextmanager
def locked_by_first(folder: Path, parallel: Parallel) -> Iterator[None]:
    """`locked` by the first process of a run; where it is kept out, all of them raise its TrainingError."""
    with ExitStack() as stack:
        problem = ""
        if parallel.is_main:
            try:
                stack.enter_context(locked(folder))
            except TrainingError as error:
                problem = str(error)
        if problem := parallel.gather(problem)[0]:
            raise TrainingError(problem)
        yield
