"""Which batch norms stand alone behind a convolution, in a network of any origin: told by a pass without data."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vidtok.nn.folded import affine_of, fold_conv

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
WITH_ACTIVATION = ("BatchNormAct2d", "BatchNormAct3d")
"""timm's, told by name, so that timm is not imported."""


def watched(run: Callable[[], object]) -> "Flow | None":
    """What a network does in a pass without data, on the meta device; None for one that cannot run so."""
    try:
        with torch.no_grad(), Flow() as seen:
            run()
    except (NotImplementedError, RuntimeError):
        return None
    return seen


def fold_norms(network: nn.Module, *, shadow: nn.Module, seen: "Flow", depth_of: Callable[[str], int]) -> int:
    """Fold every norm into the convolution before it whose results nothing else sees, in place; how many they were.

    `shadow` is the network on the meta device, `seen` what was watched of it. A norm is folded where its input is what
    one convolution puts out, both work once and on nothing else, and both have the same depth, so that features at
    every depth stay. The network is in evaluation state.
    """
    pairs = list(_pairs(shadow, seen, depth_of))
    for conv, norm in pairs:
        layer, behind = network.get_submodule(conv), network.get_submodule(norm)
        assert isinstance(layer, _ConvNd)
        assert isinstance(behind, _BatchNorm)
        fold_conv(layer, affine_of(behind))
        activation = getattr(behind, "act", None)
        network.set_submodule(norm, activation if isinstance(activation, nn.Module) else nn.Identity())
    return len(pairs)


def _pairs(shadow: nn.Module, seen: "Flow", depth_of: Callable[[str], int]) -> Iterator[tuple[str, str]]:
    convs = {id(layer.weight): name for name, layer in shadow.named_modules() if isinstance(layer, _ConvNd)}
    norms = {
        id(layer.running_mean): name
        for name, layer in shadow.named_modules()
        if isinstance(layer, _BatchNorm) and _known(layer)
    }
    made: dict[int, int] = {}  # from what a convolution puts out to its weight
    for kind, inputs, out in seen.calls:
        for weight in (id(tensor) for tensor in inputs):
            if "convolution" in kind and weight in convs:
                made[id(out)] = weight
    for kind, inputs, _ in seen.calls:
        for mean in (id(tensor) for tensor in inputs):
            if "batch_norm" not in kind or mean not in norms or id(inputs[0]) not in made:
                continue
            weight = made[id(inputs[0])]
            alone = seen.uses[mean] == seen.uses[weight] == seen.uses[id(inputs[0])] == 1
            if alone and depth_of(convs[weight]) == depth_of(norms[mean]):
                yield convs[weight], norms[mean]


def _known(norm: _BatchNorm) -> bool:
    """Whether a norm has statistics, and nothing else in it but, at most, an activation."""
    return norm.running_mean is not None and (type(norm) in PLAIN or type(norm).__name__ in WITH_ACTIVATION)


class Flow(TorchDispatchMode):
    """Keeps every operation with its tensors, so that none gives its place in memory to another."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[Tensor], Any]] = []
        self.uses: Counter[int] = Counter()
        self.largest = 0
        """Numbers in the largest tensor that an operation put out."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        self.uses.update({id(tensor) for tensor in inputs})
        self.calls.append((str(func), inputs, out))
        results = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.largest = max([self.largest, *results])
        return out
