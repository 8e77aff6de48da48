"""What a network costs: parameters and multiply-adds of every module, from shapes alone."""

import copy
import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from vidtok.models.baselines_cost import foreign_macs

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Parameters (buffers aside), and multiply-adds for one clip; a module's cost includes its parts."""

    parameters: int
    macs: int


def count_cost(network: nn.Module, *, frames: int, size: int | tuple[int, int], colours: int = 3) -> dict[str, Cost]:
    """The cost of every module by its name; the whole network is "".

    Multiply-adds are those of linear layers, convolutions and products of tokens with tokens; norms, activations,
    pooling, softmax and additions are left out, as in the field's tables, where one multiply-add is called a FLOP. A
    layer costs (values that it puts out) x (values that each is a sum of); modules that multiply by themselves say how
    often: `own_macs(*shapes of the inputs)`. The network runs on the meta device, where nothing is computed.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    shadow = copy.deepcopy(network).to("meta", torch.float32).eval()
    macs = dict.fromkeys((name for name, _ in shadow.named_modules()), 0)

    def count(name: str, module: nn.Module, inputs: tuple[object, ...], out: object) -> None:
        if isinstance(module, LAYERS) and isinstance(out, Tensor):
            macs[name] += out.numel() * math.prod(module.weight.shape[1:])
        own = getattr(module, "own_macs", None)
        if own is not None:
            macs[name] += own(*(tuple(x.shape) for x in inputs if isinstance(x, Tensor)))
        macs[name] += foreign_macs(module, inputs)

    hooks = [
        module.register_forward_hook(lambda m, inputs, out, name=name: count(name, m, inputs, out))
        for name, module in shadow.named_modules()
    ]
    with torch.no_grad():
        shadow(torch.empty(1, frames, colours, rows, columns, device="meta"))
    for hook in hooks:
        hook.remove()
    whole = dict.fromkeys(macs, 0)
    for name, own in macs.items():
        whole[""] += own
        # "a.b.c" is part of "a", of "a.b" and of itself.
        for part in accumulate(name.split(".") if name else (), "{}.{}".format):
            whole[part] += own
    return {
        name: Cost(parameters=sum(p.numel() for p in module.parameters()), macs=whole[name])
        for name, module in shadow.named_modules()
    }
