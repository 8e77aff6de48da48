"""The same bits each time on a GPU too."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vidtok.errors import TrainingError


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Within this context torch takes only algorithms that give the same bits each time; nothing, unless `wanted`.

    On processors it does so in any case. cuBLAS wants memory of a fixed size for it, which it looks for when it is
    first used, so the context begins before anything is computed. Raises TrainingError for a layer without such an
    algorithm.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        words = str(error).split(", but you set")[0].split(". You can turn off")[0]
        raise TrainingError(f"`deterministic`: {words}; train without it, or take another network or layer") from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
