"""How a worker process of the data loader is set up."""

import ctypes
import gc
import signal
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def start_worker(_: int) -> None:
    """One thread per worker, since the workers already fill the cores; signals are the training process's to answer.

    A terminal, torchrun and Slurm send them to all processes, and the step that is being made needs its workers.
    What the process was born with stays: the garbage collector would look for leavings among all modules again and
    again, which takes time, and copies the memory that workers share.
    """
    gc.freeze()
    keep_freed_memory()
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def keep_freed_memory() -> None:
    """Have this process keep the memory of one clip for the next: up to 256 MiB, in blocks of 32 MiB at most.

    glibc gives megabytes back to the system whenever a clip is done, and the system fills them with zeros before it
    gives them out again. Other systems go on as they do.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # not in musl
            libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
            libc.mallopt(M_TRIM_THRESHOLD, 256 * 2**20)
