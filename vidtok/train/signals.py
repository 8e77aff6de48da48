"""Ctrl-C and SIGTERM as a request to stop behind the step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after this step; a second Ctrl-C acts at once.

    A second SIGTERM does nothing: Slurm sends one to every process, and torchrun passes on the one that it got itself.
    Only the main thread may set handlers, and gets the signals: in any other one (a notebook's, a tuner's) the caller
    has them, and nothing is asked for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
