"""What the hierarchical networks share: four stages of blocks, their sizes, and mixing inside each time step."""

from abc import ABC
from collections.abc import Iterable

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.models.network import Network

PerStage = tuple[int, int, int, int]


class StagedNetwork(Network, ABC):
    """A stem, then stages of blocks; `downsamples` stand between the stages where blocks do not stride themselves."""

    stem: nn.Module
    stages: nn.ModuleList
    downsamples: nn.ModuleList

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The blocks of all stages, first to last."""
        return tuple(block for stage in self.stages for block in stage.children())

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The stem, and the layers that halve the grid, which belong to the stage that follows."""
        parts: list[tuple[nn.Module | None, int]] = [(self.stem, 0)]
        before = 0
        for stage, downsample in zip(self.stages, self.downsamples, strict=False):
            before += len(list(stage.children()))
            parts.append((downsample, before + 1))
        return parts


def stage_grids(
    frames: int, size: int | tuple[int, int], *, temporal_strides: PerStage
) -> tuple[tuple[int, int, int], ...]:
    """The token grid `(t, h, w)` of each of four stages.

    The first has a quarter of the picture's rows and columns, each other one half of the one before; halves of odd
    sizes are rounded up. Raises ModelError for a clip without frames or pixels, and for strides below 1.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    if min(frames, rows, columns) < 1:
        raise ModelError(f"a clip needs at least one frame, row and column, got frames={frames}, size={size}")
    if min(temporal_strides) < 1:
        raise ModelError(f"temporal_strides count from 1, got {temporal_strides}")
    grids = []
    t, h, w = frames, -(-rows // 2), -(-columns // 2)
    for stride in temporal_strides:
        t, h, w = -(-t // stride), -(-h // 2), -(-w // 2)
        grids.append((t, h, w))
    return tuple(grids)


def drop_path_rates(rate: float, blocks: int) -> list[float]:
    """From 0 at the first block to `rate` at the last, in equal steps."""
    return [rate * block / max(blocks - 1, 1) for block in range(blocks)]


def start_head(layer: nn.Linear) -> None:
    """Weights N(0, 0.02²), cut off at ±2, and biases at zero, as timm starts last layers."""
    nn.init.trunc_normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)


def within_time_steps(mixer: nn.Module, x: Float[Tensor, "b t h w d"]) -> Float[Tensor, "b t h w d"]:
    """A mixer's output where each time step is a clip of its own."""
    y = mixer(rearrange(x, "b t h w d -> (b t) 1 h w d"))
    return rearrange(y, "(b t) 1 h w d -> b t h w d", t=x.shape[1])
