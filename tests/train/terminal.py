"""A real pseudo-terminal in place of standard error."""

import os
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def terminal(monkeypatch, *, rows: int = 40, columns: int = 150) -> Iterator[Callable[[], str]]:
    """sys.stderr is a terminal of this size; the function that is given closes it and returns what was shown."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (rows, columns))
    shown: list[bytes] = []

    def read():
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                return
            if not part:
                return
            shown.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", stream)

    def end() -> str:
        stream.close()
        reader.join()
        return b"".join(shown).decode("utf-8")

    try:
        yield end
    finally:
        monkeypatch.undo()
        stream.close()
        reader.join()
        os.close(ours)
