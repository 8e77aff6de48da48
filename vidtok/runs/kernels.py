"""The kernels that a run will use, tried out at its start."""

import torch

from vidtok.choices import Precision
from vidtok.errors import ConfigError
from vidtok.infer.evaluate import low_dtype
from vidtok.models.classifier import Classifier
from vidtok.models.kernels import avoid_broken_kernels
from vidtok.train.parallel import Parallel

CLIPS = 2
"""So many at a time are tried: enough to sum over, and no more than a step has."""


def try_kernels(model: Classifier, parallel: Parallel, *, precision: Precision, backward: bool) -> list[str]:
    """Let layers compute in float32 whose kernels are broken here (`avoid_broken_kernels`); a line for each kind.

    Each process tries its own processor or GPU; all get the lines of all. Raises ConfigError where such a layer's
    weights are themselves kept in low precision, as blocks are by FSDP2 on GPUs.
    """
    plan = model.architecture
    assert plan is not None
    y, x = (plan.size, plan.size) if isinstance(plan.size, int) else plan.size
    clips = torch.zeros(CLIPS, plan.frames, 3, y, x, dtype=torch.uint8, device=parallel.device)
    dtype = low_dtype(parallel.device, precision)
    found = parallel.gather(avoid_broken_kernels(model, clips, dtype=dtype, backward=backward))
    lines = list(dict.fromkeys(line for own in found for line in own))
    if lines and parallel.sharded and parallel.device.type == "cuda":
        raise ConfigError(
            f"train.precision={precision} with train.parallel=fsdp2: set train.parallel=ddp, under which such a layer "
            f"computes in float32, or train.precision=float32: {lines[0]}"
        )
    return lines
