"""What changes from step to step: put into a checkpoint, and taken out of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vidtok.errors import CheckpointError, NotFiniteError
from vidtok.models.classifier import Classifier
from vidtok.nn.finite import first_not_finite
from vidtok.train.checkpoint import Checkpoint, check_fit
from vidtok.train.ema import Averages
from vidtok.train.fsdp import like, own_part, split_like, to_first
from vidtok.train.parallel import Parallel


@dataclass
class Progress:
    """Where a run stands: updates made, and the records (`Record.key` -> cause) that could not be decoded so far.

    `best` is the best validation so far: its `step` and the figure by its name; empty before the first. `stale` counts
    the validations since then. `segments` are the steps from which on the run had another configuration.
    """

    step: int = 0
    bad: dict[str, str] = field(default_factory=dict)
    best: dict[str, float | int] = field(default_factory=dict)
    stale: int = 0
    segments: tuple[int, ...] = (0,)

    def is_best(self, figures: Mapping[str, float]) -> bool:
        """Note a validation at this step; whether its first figure, of which more is better, is the highest so far."""
        name, figure = next(iter(figures.items()))
        better = figure > self.best.get(name, float("-inf"))
        self.stale = 0 if better else self.stale + 1
        if better:
            self.best = {"step": self.step, name: figure}
        return better


@dataclass(kw_only=True)
class RunState:
    """The parts of a run that training changes; `averages` and `scaler` where there are such.

    `lists` are the fingerprints of the lists that it reads, by their names, which its checkpoints carry.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    averages: Averages | None = None
    scaler: torch.amp.GradScaler | None = None
    progress: Progress = field(default_factory=Progress)
    lists: Mapping[str, str] = field(default_factory=dict)

    def check_finite(self, parallel: Parallel) -> None:
        """Raise NotFiniteError, on every process, that names the first part of the run with an infinity or a NaN.

        All processes call it; each looks at what it has.
        """
        averages = None if self.averages is None else self.averages.state
        check_run_finite(self.model, self.optimizer, averages, parallel, step=self.progress.step)

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
            stale=self.progress.stale,
            lists=self.lists,
            segments=self.progress.segments,
            description=self.describe(),
        )

    def describe(self) -> dict[str, Any]:
        """What config.json of the model would hold; empty for a network that is no whole model, or without a plan."""
        model = self.model
        return model.describe() if isinstance(model, Classifier) and model.architecture is not None else {}

    def restore(
        self, checkpoint: Checkpoint, *, source: object, new_segment: bool = False, moments: bool = True
    ) -> None:
        """Go on from a checkpoint of the same run, with tensors whole or split as this process has them.

        With `new_segment` the run has other settings from here on: the optimizer keeps its own groups, rates and decay
        and takes from the checkpoint what it has of each parameter's state (nothing without `moments`, as for another
        kind of optimizer); averages and a loss scaler that the checkpoint does not have begin anew.
        Raises CheckpointError where it is another model's.
        """
        own = self.model.state_dict()
        check_fit(own, checkpoint.model, source=str(source))
        self.model.load_state_dict(split_like(checkpoint.model, own))
        packed = own_groups(checkpoint.optimizer, self.optimizer, self.model, moments) if new_segment else None
        packed = packed or checkpoint.optimizer
        self.optimizer.load_state_dict(numbered_state(packed, self.optimizer, self.model, source=source))
        if self.averages is not None:
            state = checkpoint.model if new_segment and not checkpoint.ema else checkpoint.ema
            fitting = state.keys() == own.keys()
            self.averages.load(split_like(state, own) if fitting else state, source=source)
        if self.scaler is not None and not (new_segment and not checkpoint.scaler):
            self.scaler.load_state_dict(dict(checkpoint.scaler))
        segments = (*checkpoint.segments, checkpoint.step) if new_segment else checkpoint.segments
        self.progress = Progress(
            step=checkpoint.step,
            bad=dict(checkpoint.bad),
            best=dict(checkpoint.best),
            stale=0 if new_segment else checkpoint.stale,
            segments=segments,
        )


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def check_run_finite(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor] | None,
    parallel: Parallel,
    *,
    step: int,
) -> None:
    """Raise NotFiniteError where the model, its averages or the optimizer's state hold an infinity or a NaN.

    All processes call it together, and all raise where any of them has found something.
    """
    tensors = {f"the weight {name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"the average of {name}": tensor for name, tensor in (averages or {}).items()}
    for name, values in named_state(optimizer, model)["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor | float):
                tensors[f"the optimizer's {key} of {name}"] = torch.as_tensor(value)
    own = {name: own_part(tensor) for name, tensor in tensors.items()}
    found = [name for name in parallel.gather(first_not_finite(own)) if name]
    if found:
        raise NotFiniteError(f"after step {step} {found[0]} is not finite (an infinity or a NaN)")


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


def own_groups(
    named: Mapping[str, Any], optimizer: torch.optim.Optimizer, model: nn.Module, moments: bool
) -> dict[str, Any]:
    """A checkpoint's state, by names, of the parameters that this optimizer has, in this optimizer's own groups."""
    own = named_state(optimizer, model)
    kept = {name for group in own["param_groups"] for name in group["params"]}
    state = {name: values for name, values in named["state"].items() if moments and name in kept}
    return {"state": state, "param_groups": own["param_groups"]}


def new_layers(optimizer: Mapping[str, Any]) -> frozenset[str]:
    """The parameters of a checkpoint's optimizer that had no initial weights when the run began."""
    return frozenset(name for group in optimizer["param_groups"] if group["new"] for name in group["names"])
