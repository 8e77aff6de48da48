"""How long the parts of a training step take, on the clock of the processor and on that of a GPU."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

FIRST = "wait for data"
REST = "rest"

Mark = float | torch.cuda.Event


@dataclass(frozen=True)
class DeviceClock:
    """Notes when the device comes to a point of the program; for the CPU that is when the program does.

    A GPU does its work behind the program that orders it. What the program waits for meanwhile (the next batch) costs
    nothing as long as the GPU has something to do, so that only the GPU's own clock tells what a wait has cost.
    """

    device: torch.device

    def mark(self) -> Mark:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def seconds(self, start: Mark, stop: Mark) -> float:
        """From one mark to another, which the device must have come to."""
        if isinstance(start, torch.cuda.Event) and isinstance(stop, torch.cuda.Event):
            return start.elapsed_time(stop) / 1000
        assert isinstance(start, float)
        assert isinstance(stop, float)
        return stop - start


class StepTimer:
    """Given to `train` as its `span`, it notes when the parts of every step begin and end, on both clocks.

    A step begins with its first part, the wait for data, and ends where the next one begins. `at_step` is called at the
    beginning of each with its number, from 0; what that takes counts for the new step.
    """

    def __init__(self, *, device: torch.device, at_step: Callable[[int], object] | None = None):
        self._clocks = [DeviceClock(torch.device("cpu"))] + ([DeviceClock(device)] if device.type == "cuda" else [])
        self._at_step = at_step
        self._begins: list[list[Mark]] = []
        self._spans: list[list[tuple[str, list[Mark], list[Mark]]]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if name == FIRST:
            self._begins.append(self._marks())
            self._spans.append([])
            if self._at_step is not None:
                self._at_step(len(self._begins) - 1)
        start = self._marks()
        # The name appears in what torch's profiler records.
        with torch.profiler.record_function(name):
            yield
        self._spans[-1].append((name, start, self._marks()))

    def _marks(self) -> list[Mark]:
        return [clock.mark() for clock in self._clocks]

    def seconds(self, first: int, stop: int) -> list[list[dict[str, float]]]:
        """For each clock, the processor's first, the seconds of each part of the steps from `first` on, before `stop`.

        `rest` is what no part has counted. Raises ValueError where step `stop`, with which the last one ends, has not
        begun.
        """
        if not 0 <= first < stop < len(self._begins):
            raise ValueError(f"steps {first} to {stop} are not among the {len(self._begins)} that have begun")
        if len(self._clocks) > 1:
            torch.cuda.synchronize(self._clocks[1].device)
        return [[self._step(step, number) for step in range(first, stop)] for number in range(len(self._clocks))]

    def _step(self, step: int, number: int) -> dict[str, float]:
        clock, parts = self._clocks[number], dict[str, float]()
        for name, start, end in self._spans[step]:
            parts[name] = parts.get(name, 0.0) + clock.seconds(start[number], end[number])
        whole = clock.seconds(self._begins[step][number], self._begins[step + 1][number])
        return {**parts, REST: whole - sum(parts.values())}


def mean_parts(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each part over the steps, in the order in which parts first come; the rest is the last."""
    names = dict.fromkeys(name for step in steps for name in step if name != REST)
    return {name: sum(step.get(name, 0.0) for step in steps) / len(steps) for name in (*names, REST)}
