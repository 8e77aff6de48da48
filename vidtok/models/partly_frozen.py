"""Networks with a pretrained part, of which the last blocks are trained, or none."""

from abc import ABC

from torch import nn

from vidtok.errors import ModelError
from vidtok.models.network import Network


class PartlyFrozen(Network, ABC):
    """A network that holds back what stands before the last `trained_blocks` blocks of its pretrained part.

        trained_blocks   what is trained beside the rest of the network
        None             all of the part
        0                nothing of it
        n                its last n blocks, and what stands behind them in it, such as a last norm

    What is held back has no gradients and stays in evaluation state: batch norms keep their statistics, nothing is
    dropped. A network of this kind calls `hold_back` at the end of its constructor.
    """

    pretrained: str
    """Path of the part, whose blocks are the network's first."""
    trained_blocks: int | None = None
    part_blocks: int
    """How many blocks the part has."""

    def hold_back(self, trained_blocks: int | None, *, part: str, blocks: int) -> None:
        """Freeze the part but for its last blocks; ModelError where it has not so many."""
        if trained_blocks is not None and not 0 <= trained_blocks <= blocks:
            raise ModelError(
                f"`trained_blocks`={trained_blocks}: the encoder has {blocks} blocks; 0 trains none of it, "
                "null all of it"
            )
        self.pretrained, self.trained_blocks, self.part_blocks = part, trained_blocks, blocks
        for module in self.held_back():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)

    def held_back(self) -> list[nn.Module]:
        """Every module of which nothing is trained; those within it stand for themselves."""
        if self.trained_blocks is None:
            return []
        tell, first = self.group_matcher(), self.part_blocks - self.trained_blocks + 1
        return [
            module
            for path, module in self.named_modules()
            if (path == self.pretrained or path.startswith(f"{self.pretrained}."))
            and (self.trained_blocks == 0 or tell(path) < first)
        ]

    def train(self, mode: bool = True) -> "PartlyFrozen":
        """Training state but for what is held back."""
        super().train(mode)
        if mode:
            for module in self.held_back():
                module.training = False
        return self
