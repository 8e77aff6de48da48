"""What a network costs: parameters and multiply-adds of every module, from shapes alone."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vidtok.models.network import meta_copy


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Parameters (buffers aside), and multiply-adds for one clip; a module's cost includes its parts."""

    parameters: int
    macs: int


def count_cost(network: nn.Module, *, frames: int, size: int | tuple[int, int], colours: int = 3) -> dict[str, Cost]:
    """The cost of every module by its name; the whole network is "".

    Multiply-adds are those of linear layers, convolutions and products of tokens with tokens; norms, activations,
    pooling, softmax and additions are left out, as in the field's tables, where one multiply-add is called a FLOP.
    They are counted by torch (which counts two for each) on the meta device, where nothing is computed and every
    version sees the products inside fused attention.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    shadow = meta_copy(network)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, frames, colours, rows, columns, device="meta"))
    counted = {name: sum(kinds.values()) // 2 for name, kinds in counter.flop_counts.items()}
    root, costs = type(shadow).__name__, {}

    def cost(name: str, module: nn.Module) -> Cost:
        inner = [cost(f"{name}.{child}".removeprefix("."), part) for child, part in module.named_children()]
        # A list of layers is not called itself.
        macs = counted.get(f"{root}.{name}" if name else "Global", sum(part.macs for part in inner))
        costs[name] = Cost(parameters=sum(p.numel() for p in module.parameters()), macs=macs)
        return costs[name]

    cost("", shadow)
    return costs
