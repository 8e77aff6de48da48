"""What changes from step to step: put into a checkpoint, and taken out of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.classifier import Classifier
from vidtok.train.checkpoint import Checkpoint, check_fit
from vidtok.train.ema import Averages
from vidtok.train.fsdp import like, split_like, to_first


@dataclass
class Progress:
    """Where a run stands: updates made, and the videos (row of the list -> cause) that could not be decoded so far.

    `best` is the best validation so far: its `step` and the figure by its name; empty before the first.
    """

    step: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    best: dict[str, float | int] = field(default_factory=dict)

    def is_best(self, figures: Mapping[str, float]) -> bool:
        """Note a validation at this step; whether its first figure, of which more is better, is the highest so far."""
        name, figure = next(iter(figures.items()))
        better = figure > self.best.get(name, float("-inf"))
        if better:
            self.best = {"step": self.step, name: figure}
        return better


@dataclass(kw_only=True)
class RunState:
    """The parts of a run that training changes; `averages` and `scaler` where there are such."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    averages: Averages | None = None
    scaler: torch.amp.GradScaler | None = None
    progress: Progress = field(default_factory=Progress)

    def checkpoint(self, *, config: str, classes: tuple[str, ...], whole: bool = True) -> Checkpoint:
        """All of it as a Checkpoint; its tensors are those of the run, not copies.

        Sharded ones come together in the memory of process 0, one after the other; all processes call it. With
        `whole=False` each process keeps its part.
        """
        together = to_first if whole else _as_it_is
        packed = named_state(self.optimizer, self.model)
        moments = {
            name: {key: together(value) if isinstance(value, Tensor) else value for key, value in values.items()}
            for name, values in packed["state"].items()
        }
        return Checkpoint(
            step=self.progress.step,
            model={name: together(tensor) for name, tensor in self.model.state_dict().items()},
            optimizer={"state": moments, "param_groups": packed["param_groups"]},
            config=config,
            classes=classes,
            bad=self.progress.bad,
            ema={} if self.averages is None else {n: together(tensor) for n, tensor in self.averages.state.items()},
            scaler={} if self.scaler is None else self.scaler.state_dict(),
            best=self.progress.best,
            description=self.describe(),
        )

    def describe(self) -> dict[str, Any]:
        """What config.json of the model would hold; empty for a network that is no whole model, or without a plan."""
        model = self.model
        return model.describe() if isinstance(model, Classifier) and model.architecture is not None else {}

    def restore(self, checkpoint: Checkpoint, *, source: object) -> None:
        """Go on from a checkpoint of the same run, with tensors whole or split as this process has them.

        Raises CheckpointError where it is another model's.
        """
        own = self.model.state_dict()
        check_fit(own, checkpoint.model, source=str(source))
        self.model.load_state_dict(split_like(checkpoint.model, own))
        self.optimizer.load_state_dict(numbered_state(checkpoint.optimizer, self.optimizer, self.model, source=source))
        if self.averages is not None:
            fitting = checkpoint.ema.keys() == own.keys()
            self.averages.load(split_like(checkpoint.ema, own) if fitting else checkpoint.ema, source=source)
        if self.scaler is not None:
            self.scaler.load_state_dict(dict(checkpoint.scaler))
        self.progress = Progress(step=checkpoint.step, bad=dict(checkpoint.bad), best=dict(checkpoint.best))


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def parameter_order(optimizer: torch.optim.Optimizer, model: nn.Module) -> list[str]:
    """The names of an optimizer's parameters, in the order of the numbers that it gives them."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def named_state(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Any]:
    """The optimizer's state_dict with names for numbers.

    torch's own form of it (`get_optimizer_state_dict`) makes an empty step before the first one, and cannot bring back
    groups that hold text.
    """
    order, packed = parameter_order(optimizer, model), optimizer.state_dict()
    groups = [{**group, "params": [order[number] for number in group["params"]]} for group in packed["param_groups"]]
    return {"state": {order[number]: values for number, values in packed["state"].items()}, "param_groups": groups}


def numbered_state(
    named: Mapping[str, Any], optimizer: torch.optim.Optimizer, model: nn.Module, *, source: object
) -> dict[str, Any]:
    """The inverse of `named_state` for this optimizer; state that has a weight's shape is split as that weight is."""
    numbers = {name: number for number, name in enumerate(parameter_order(optimizer, model))}
    listed = [name for group in named["param_groups"] for name in group["params"]]
    if sorted(map(str, listed)) != sorted(numbers):
        raise CheckpointError(f"{source}: its optimizer does not have the parameters that this run trains")
    weights = dict(model.named_parameters())

    def part(value: Any, weight: Tensor) -> Any:
        return like(value, weight) if isinstance(value, Tensor) and value.shape == weight.shape else value

    return {
        "state": {
            numbers[name]: {key: part(value, weights[name]) for key, value in values.items()}
            for name, values in named["state"].items()
        },
        "param_groups": [
            {**group, "params": [numbers[name] for name in group["params"]]} for group in named["param_groups"]
        ],
    }


def new_layers(optimizer: Mapping[str, Any]) -> frozenset[str]:
    """The parameters of a checkpoint's optimizer that had no initial weights when the run began."""
    return frozenset(name for group in optimizer["param_groups"] if group["new"] for name in group["names"])
