"""What a worker process is like once it is set up; each in a process of its own, whose settings end with it."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from vidtok.data import worker

FAULTS = """
import resource, sys
import numpy as np
from vidtok.data.worker import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def clip():
    for size in (12, 11, 10):
        yield np.ones(size * 2**20, np.uint8)

if sys.argv[1] == "keep":
    keep_freed_memory()
list(clip())
before = faults()
for _ in range(5):
    list(clip())
print((faults() - before) // 5)
"""

SET_UP = """
import gc, signal
import torch
from vidtok.data.worker import start_worker
start_worker(0)
assert gc.get_freeze_count() > 10_000
assert torch.get_num_threads() == 1
assert signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc gives memory back to the system")
def test_the_memory_of_a_clip_serves_the_next_one():
    """33 MiB are 8,448 pages; large ones, where numpy gets them, are fewer."""
    without, kept = int(python(FAULTS, "plain")), int(python(FAULTS, "keep"))
    assert kept < 0.1 * without


def test_one_thread_signals_ignored_and_modules_left_alone():
    python(SET_UP)


def test_blocks_and_the_sum_that_is_kept_are_as_the_docstring_says(monkeypatch):
    asked = []
    libc = SimpleNamespace(mallopt=lambda *words: asked.append(words))
    monkeypatch.setattr(worker.ctypes, "CDLL", lambda _: libc)
    monkeypatch.setattr(worker.sys, "platform", "linux")
    worker.keep_freed_memory()
    # By glibc's malloc.h: M_MMAP_THRESHOLD is -3, M_TRIM_THRESHOLD -1.
    assert sorted(asked) == [(-3, 32 * 1024**2), (-1, 256 * 1024**2)]
    asked.clear()
    monkeypatch.setattr(worker.sys, "platform", "darwin")
    worker.keep_freed_memory()
    assert not asked
