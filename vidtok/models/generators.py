"""Random generators, kept out of what is none of the caller's business."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def untouched_generators(seed: int | None = None) -> Iterator[None]:
    """What is drawn in here leaves the generators of torch (CPU and CUDA), numpy and Python as they were.

    With `seed`, torch's generator of the CPU starts from it, so that weights made in here follow from it alone.
    """
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # A CUDA that nobody has started has drawn nothing; asking it for its state would start it.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        if seed is not None:
            # torch.manual_seed would seed CUDA's generators too, later where it is not started yet.
            torch.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
