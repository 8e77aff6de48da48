"""Bringing a foreign state into a network so that no key is lost on the way."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from vidtok.errors import CheckpointError
from vidtok.models.weights.report import Report


class Transfer:
    """Moves tensors from a foreign state to the parameters of a network and writes down what became of each.

    Importers `take` keys of the source, `put` tensors to parameters, `skip` what has no place, and `finish`, which
    copies, and raises CheckpointError for keys of the source that nobody asked for and for parameters that got nothing
    and may not go without. Nothing is copied before everything fits.
    """

    def __init__(self, network: nn.Module, state: Mapping[str, Tensor]):
        self.network = network
        self.state = state
        self._targets = network.state_dict()
        self._put: dict[str, Tensor] = {}
        self._used: dict[str, None] = {}
        self._resized: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._notes: list[str] = []

    def has(self, key: str) -> bool:
        """Whether the source has this key."""
        return key in self.state

    def take(self, key: str) -> Shaped[Tensor, "..."]:
        """The source's tensor, marked as used; CheckpointError where there is none."""
        if key not in self.state:
            raise CheckpointError(f"the weights have no {key!r}, which the network needs; they have {self._near(key)}")
        self._used[key] = None
        return self.state[key]

    def wants(self, target: str) -> tuple[int, ...] | None:
        """The shape of a parameter of the network, or None where it has no such parameter."""
        return tuple(self._targets[target].shape) if target in self._targets else None

    def put(self, target: str, tensor: Shaped[Tensor, "..."], *, source: str) -> None:
        """Give a parameter its values; CheckpointError, naming both keys, where the shapes differ."""
        if target not in self._targets:
            raise CheckpointError(f"{source}: the network has no parameter {target!r} to take it")
        want = tuple(self._targets[target].shape)
        if tuple(tensor.shape) != want:
            raise CheckpointError(
                f"{source}: its shape {tuple(tensor.shape)} does not fit {target!r}, which has {want}; "
                "build the network with the sizes that the weights were made for"
            )
        self._put[target] = tensor

    def move(self, source: str, target: str) -> None:
        """Take a key and put it to a parameter as it is."""
        self.put(target, self.take(source), source=source)

    def note_resized(self, key: str, how: str) -> None:
        """Write down that a key's values were changed to fit."""
        self._resized[key] = how

    def note(self, text: str) -> None:
        """Write down that the network computes otherwise than the one that the weights were made in."""
        self._notes.append(text)

    def skip(self, key: str, why: str) -> None:
        """Write down that a key is left out, where the source has it."""
        if key in self.state:
            self._skipped[key] = why

    def finish(self, *, may_miss: Iterable[str] = ()) -> Report:
        """Copy everything and report. `may_miss`: beginnings of the names of parameters that may keep their start."""
        seen = self._used.keys() | self._skipped.keys()
        if left := sorted(self.state.keys() - seen):
            raise CheckpointError(f"{len(left)} keys of the weights have no place in the network: {_some(left)}")
        missing = sorted(self._targets.keys() - self._put.keys())
        allowed = tuple(may_miss)
        if bad := [name for name in missing if not name.startswith(allowed)]:
            raise CheckpointError(f"the weights hold nothing for {len(bad)} parameters of the network: {_some(bad)}")
        with torch.no_grad():
            for target, tensor in self._put.items():
                self._targets[target].copy_(tensor)
        return Report(
            used=tuple(key for key in self._used if key not in self._resized),
            resized=tuple(f"{key} ({how})" for key, how in self._resized.items()),
            skipped=tuple(f"{key} ({why})" for key, why in self._skipped.items()),
            missing=tuple(missing),
            notes=tuple(self._notes),
        )

    def _near(self, key: str) -> str:
        stem = key.replace("/", ".").rsplit(".", 1)[-1]
        alike = [k for k in self.state if k.replace("/", ".").rsplit(".", 1)[-1] == stem]
        return _some(sorted(alike or self.state))


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:5]) + (f" … ({len(keys)} in all)" if len(keys) > 5 else "")
