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
    Raises TrainingError that names the process which has the lock, or says why there cannot be such a folder.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(folder / NAME, "a+", encoding="utf-8"))
        except OSError as error:
            raise TrainingError(
                f"{folder}: this cannot be a run's folder: {_no_folder(folder, error)}. Give another `folder`."
            ) from error
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise TrainingError(
                f"{folder}: another run is at work in this folder ({file.read().strip()}). "
                "Stop it, wait for its end, or give another `folder`."
            ) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _no_folder(folder: Path, error: OSError) -> str:
    """Why nothing can be written there, in words."""
    file = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    return str(error.strerror or error) if file is None else f"{'it' if file == folder else file} is a file, no folder"


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
