"""An encoder, the vector that its maps say of a clip, and a linear layer: what encoders of any origin share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import Summary
from vidtok.models.network import COLOURS, meta_copy
from vidtok.models.partly_frozen import PartlyFrozen
from vidtok.nn.pool import check_classes
from vidtok.nn.summary import frame_means, map_statistics, motion_summary, time_statistics


class SummaryNetwork(PartlyFrozen, ABC):
    """An encoder, `body`, on a clip, its maps summed up as one vector, and a linear layer, `head`.

    `summary` is what the linear layer sees:

        mean        mean over time steps and cells of the last maps
        time        mean, standard deviation and mean |difference| over time of each time step's mean
        maps        mean and largest |difference| of a cell in time, of the last maps and of a middle layer's
        motion      where the cells of the middle layer find themselves again in the next time step
        time_maps   the two side by side, and so all other unions of time, maps and motion

    `trained_blocks`: how many of the body's last blocks are trained, see `PartlyFrozen`.

    A network of this kind makes its body, says what its maps are, and calls `add_head` at the end of its constructor.
    """

    body: nn.Module
    summary: Summary
    middle: int
    """The depth, or the index among the body's layers, of the middle maps."""
    token_width: int
    """Of a cell of the last maps."""
    frames_apart: bool
    """Each frame is encoded by itself: the maps of frames in another order are these maps in that order."""

    @abstractmethod
    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t h w d"], Float[Tensor, "b t2 h2 w2 d2"]]:
        """The last maps and the middle layer's, from at least one clip of the right size."""

    def add_head(self, classes: int, *, summary: Summary, trained_blocks: int | None) -> None:
        """Put the linear layer, of zeros, for this summary, set the grid, from a trial without data, and freeze."""
        check_classes(classes)
        self.summary = summary
        frames, rows, columns = self.clip
        with torch.no_grad():
            last, middle = meta_copy(self).maps(torch.empty(1, frames, COLOURS, rows, columns, device="meta"))
        self.grid = (last.shape[1], last.shape[2], last.shape[3])
        self.token_width = last.shape[4]
        cell = (slice(None), slice(1), slice(1), slice(1))  # a summary is as wide for one cell as for all of them
        widths = {name: vector.shape[1] for name, vector in summaries(last[cell], middle[cell]).items()}
        self.head = nn.Linear(sum(widths[part] for part in summary.split("_")), classes)
        _start_at_zero(self.head)
        self.hold_back(trained_blocks, part="body", blocks=len(self.blocks))

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        return self.maps(x)[0]

    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        return self.logits_of_maps(*self.maps(x))

    def logits_of_maps(
        self, last: Float[Tensor, "b t h w d"], middle: Float[Tensor, "b t2 h2 w2 d2"]
    ) -> Float[Tensor, "b k"]:
        """The logits of clips whose maps are known; with `frames_apart` these may come from any company of frames."""
        found = summaries(last, middle)
        return self.head(torch.cat([found[part] for part in self.summary.split("_")], dim=-1))

    def why_whole(self) -> str | None:
        if self.frames_apart:
            return None
        return f"{type(self).__name__} is an encoder that sees the frames of a clip together"

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Tensor, ...]:
        """The maps of each frame."""
        return self.maps(x)

    def logits_of_steps(self, *kept: Tensor) -> Float[Tensor, "b k"]:
        return self.logits_of_maps(*kept)

    def reset_classifier(self, classes: int) -> None:
        """A new last layer of zeros."""
        check_classes(classes)
        weight = self.head.weight
        self.head = nn.Linear(self.head.in_features, classes, device=weight.device, dtype=weight.dtype)
        _start_at_zero(self.head)


def summaries(
    last: Float[Tensor, "b t h w d"], middle: Float[Tensor, "b t2 h2 w2 d2"]
) -> Mapping[str, Float[Tensor, "b _"]]:
    """The parts that summaries are made of, by name."""
    frames = frame_means(last)
    return {
        "mean": reduce(frames, "b t d -> b d", "mean"),
        "time": time_statistics(frames),
        "maps": torch.cat([map_statistics(last), map_statistics(middle)], dim=-1),
        "motion": motion_summary(middle),
    }


def encoder_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Of a network's options those that the encoder follows from: without what is seen of it, and what is trained."""
    return {key: value for key, value in options.items() if key not in ("summary", "trained_blocks")}


def _start_at_zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
