"""Less memory for activations: blocks that are computed again in the backward pass."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from vidtok.errors import TrainingError

WORDS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
"""What torch says of an allocation that failed: on GPUs, on processors under Linux and under Windows, in libraries."""


@contextlib.contextmanager
def memory_told(remedy: str) -> Iterator[None]:
    """Turn what torch raises for an allocation that failed into a TrainingError with what can be done about it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in WORDS):
            raise
        in_worker = str(error).startswith("Caught")
        words = str(error).strip().splitlines()[-1 if in_worker else 0] if str(error).strip() else "no memory"
        advice = "lower `workers`, which decode side by side" if in_worker else remedy
        raise TrainingError(f"out of memory: {advice}. The system's words: {words[:300]}") from error


def checkpoint_blocks(blocks: Sequence[nn.Module]) -> None:
    """Keep only the input of each block in training, and compute the block again when its gradient is due.

    Chen et al., arXiv 1604.06174, one segment for each block. Gradients are those without it: the second computation
    draws the same dropout, and batch norms take up their statistics in the first one alone.
    """
    for block in blocks:
        block.forward = _Recomputed(block)  # names of parameters and modules stay as they are


class _Recomputed:
    def __init__(self, block: nn.Module):
        self._block, self._forward = block, block.forward
        self._norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    def __call__(self, *inputs: Any) -> Any:
        # In evaluation state a block need not be in the same state when its gradient is due.
        if not (torch.is_grad_enabled() and self._block.training):
            return self._forward(*inputs)
        if torch.compiler.is_compiling() or not self._norms:  # a compiled graph writes statistics once, at its end
            return checkpoint(self._forward, *inputs, use_reentrant=False)
        return checkpoint(self._forward, *inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
        return contextlib.nullcontext(), self._again()

    @contextlib.contextmanager
    def _again(self) -> Iterator[None]:
        before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in self._norms]
        counts = [None if count is None else count.clone() for _, _, count in before]
        try:
            for norm in self._norms:
                norm.momentum = 0.0
            yield
        finally:
            for (norm, momentum, count), old in zip(before, counts, strict=True):
                norm.momentum = momentum
                if count is not None and old is not None:
                    count.copy_(old)
