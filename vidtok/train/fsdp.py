"""Fully sharded data parallel (FSDP2): every process keeps a part of each weight, its gradient and its averages."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from vidtok.models.classifier import Classifier
from vidtok.models.network import Network
from vidtok.train.groups import network_of

if TYPE_CHECKING:
    from torch.distributed.fsdp import MixedPrecisionPolicy

Model = TypeVar("Model", Classifier, Network)


def shard_model(model: Model, *, device: torch.device, bf16: bool = False) -> Model:
    """Split the weights over all processes, in place: each block is one unit, and what is left is the last.

        process 0   [ first rows of every weight ]      a unit's weights are whole from just before it computes
        process 1   [ last rows of every weight  ]      until just behind it; gradients become their mean, split

    Rajbhandari et al., ZeRO stage 3, arXiv 1910.02054, in the form of `torch.distributed.fsdp.fully_shard`. It comes
    before the optimizer is made. With `bf16` the weights of blocks travel and compute in bfloat16 on GPUs, for half the
    traffic; the optimizer steps them in float32, in which their gradients are summed. Batch norms keep the statistics
    of process 0, as under DistributedDataParallel.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for block in network_of(model).blocks:
        half = bf16 and device.type == "cuda" and not _has_batch_norm(block)
        fully_shard(block, mesh=mesh, mp_policy=_policy(bf16=half))
    fully_shard(model, mesh=mesh, mp_policy=_policy(bf16=False))
    model.register_forward_pre_hook(_share_statistics)
    return model


def _has_batch_norm(block: nn.Module) -> bool:
    """Batch norms want weights of the type of their statistics, so their blocks stay in float32."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in block.modules())


def _policy(*, bf16: bool) -> "MixedPrecisionPolicy":
    """Inputs stay as they are: autocast casts where that is needed, and the residual stream remains in float32."""
    from torch.distributed.fsdp import MixedPrecisionPolicy

    if not bf16:
        return MixedPrecisionPolicy(cast_forward_inputs=False)
    return MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False)


def _share_statistics(model: nn.Module, _: object) -> None:
    """Before a training pass every process takes the batch statistics of process 0."""
    if model.training:
        for norm in model.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.training:
                for buffer in norm.buffers():
                    dist.broadcast(buffer, src=0)


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Within this context every process has all weights, so that processes may run the model as often as each wants.

    Without it every pass waits for all processes, which do not test equally many videos. A model that is not sharded
    is as it was.
    """
    from torch.distributed.fsdp import FSDPModule

    units = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for unit in units:
        unit.set_reshard_after_forward(False, recurse=False)
        unit.unshard()
    try:
        yield
    finally:
        for unit in units:
            unit.reshard()
            unit.set_reshard_after_forward(unit is not model, recurse=False)


def is_split(tensor: object) -> bool:
    """Whether each process has a part of this tensor. Nothing is split before torch's module for that is imported,
    which takes long enough not to be done only to ask."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def full(tensor: Tensor) -> Tensor:
    """All parts of a tensor together, on every process; all processes call it."""
    split: Any = tensor
    return split.full_tensor() if is_split(tensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """What this process has of a tensor."""
    split: Any = tensor
    return split.to_local() if is_split(tensor) else tensor


def to_first(tensor: Tensor) -> Tensor:
    """All parts of a tensor together in the CPU's memory of process 0, nothing on the others; all processes call it."""
    if not is_split(tensor):
        return tensor
    whole = full(tensor)
    return whole.cpu() if dist.get_rank() == 0 else whole.new_empty(0)


def like(value: Tensor, target: Tensor) -> Tensor:
    """This process's part of `value`, split as `target` is; every process has the whole value."""
    if is_split(target) and not is_split(value):
        from torch.distributed.tensor import distribute_tensor

        split: Any = target
        return distribute_tensor(value.to(target.device), split.device_mesh, split.placements, src_data_rank=None)
    return value


def split_like(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`like` for whole states of a model, key by key."""
    return {key: like(value, own[key]) for key, value in state.items()}
