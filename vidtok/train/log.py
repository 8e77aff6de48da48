"""What a run says: one JSON line per event; the console, TensorBoard and the curves are views of it."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from vidtok.errors import TrainingError
from vidtok.text.console import printable, say
from vidtok.train.checks import InputWatch

NAME = "log.jsonl"
SAID = ("text", "cause", "origin")
"""Values of events that are words for a person."""


class ProgressBar(tqdm):
    monitor_interval = 0  # no thread of its own: processes are forked beside it


class Log:
    """Events into `log.jsonl` and TensorBoard, and progress on the console: a bar on a terminal, lines elsewhere.

    Only the main process has one that writes; for the others `folder` is None and nothing is said. `remedy` is what a
    run can do that waits for its data, which is said once, when it is so. `words` brings what is said into the words of
    whoever reads it, where arguments have other names there.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        steps: int,
        first_step: int = 0,
        remedy: str = "",
        words: Callable[[str], str] = str,
    ):
        self.steps = steps
        self._words = words
        self._file = self._board = self._bar = None
        self._input = InputWatch(remedy=remedy)
        if folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import: only where it is used

        folder.mkdir(parents=True, exist_ok=True)
        whole = ends_a_line(folder / NAME)
        # Open as long as the run, and without a buffer, so that what a full disk did not take is not tried again.
        self._file = open(folder / NAME, "ab", buffering=0)  # noqa: SIM115
        if not whole:
            self._file.write(b"\n")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)
        if shows_a_bar():
            self._bar = ProgressBar(total=steps, initial=first_step, unit="step", dynamic_ncols=True, smoothing=0.1)

    def event(self, kind: str, **values: Any) -> None:
        """One line of the log; a number that is not finite becomes null, which JSON has."""
        if self._file is not None:
            said = {name: self._words(values[name]) for name in SAID if name in values}
            line = {"event": kind, "time": round(time.time(), 3), **values, **said}
            rest = (json.dumps(finite(line), allow_nan=False) + "\n").encode()
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                name = os.fsdecode(self._file.name)
                raise TrainingError(f"{name}: the log cannot be written: {error.strerror or error}") from error

    def say(self, text: str) -> None:
        """A line for a person."""
        text = self._words(text)
        if self._bar is not None:
            self._bar.write(printable(text, encoding=sys.stdout.encoding or "utf-8"))
        elif self._file is not None:
            say(text)

    def warn(self, text: str) -> None:
        """A line for a person about something that is probably not meant, and an event."""
        self.event("warning", text=text)
        self.say(f"warning: {text}")

    def scalars(self, kind: str, step: int, **values: float | int) -> None:
        """Figures of one step, into the log and into TensorBoard as `kind/name`."""
        self.event(kind, step=step, **values)
        self._draw(kind, step, values)

    def picture(self, name: str, step: int, picture: Image.Image) -> None:
        """A picture of one step, into TensorBoard alone."""
        if self._board is not None:
            self._board.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def step(self) -> None:
        """One more step is done: the bar moves, ten times a second at most."""
        if self._bar is not None:
            self._bar.update()

    def progress(
        self,
        step: int,
        *,
        since: int,
        loss: float,
        clips: int,
        seconds: float,
        waited: float,
        rates: Mapping[str, float],
        gradient_norms: Mapping[str, float],
    ) -> None:
        """The run after `step` updates, with what happened since step `since`.

        `waited` are the seconds, of these, in which steps waited for data. `rates` and `gradient_norms` are those of
        the last of the steps for each parameter group; the norms are taken before clipping.
        """
        figures = {
            "loss": loss,
            "lr": max(rates.values()),
            "gradient_norm": math.hypot(*gradient_norms.values()),
            "clips_per_second": clips / seconds,
            "waiting": waited / seconds,
        }
        self.event("train", step=step, **figures, rates=rates, gradient_norms=gradient_norms)
        self._draw("train", step, figures)
        self._draw("lr", step, rates)
        self._draw("gradient_norm", step, gradient_norms)
        words = (
            f"loss {loss:.3f} | lr {figures['lr']:.2e} | {figures['clips_per_second']:.1f} clips/s | "
            f"waiting for data {figures['waiting']:.0%}"
        )
        if self._bar is not None:
            self._bar.set_postfix_str(words)
        else:
            eta_seconds = (self.steps - step) * seconds / (step - since)
            self.say(f"step {step}/{self.steps} | {words} | eta {clock(eta_seconds)}")
        if (text := self._input(steps=step - since, seconds=seconds, waited=waited)) is not None:
            self.event("input_bound", step=step, text=text)
            self.say(text)

    def end_bar(self) -> None:
        """The steps are over, what comes is said by lines."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def close(self) -> None:
        self.end_bar()
        for part in (self._board, self._file):
            if part is not None:
                part.close()

    def _draw(self, kind: str, step: int, values: Mapping[str, float | int]) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)


def shows_a_bar() -> bool:
    """Whether standard error is a terminal with a size; those of some containers have none, and a bar is not seen."""
    return sys.stderr.isatty() and min(os.get_terminal_size(sys.stderr.fileno())) > 0


def finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def clock(seconds: float) -> str:
    """`75` -> `1:15`, `3700` -> `1:01:40`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def ends_a_line(path: Path) -> bool:
    """Whether what is written behind this file's end begins a line; a full disk or a power cut leaves half of one."""
    if not path.exists() or not path.stat().st_size:
        return True
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def parse_line(line: str) -> dict[str, Any]:
    """One event; an empty one for a line that was cut off, by a full disk or a power cut."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def read_log(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of one kind, by step; where a run was resumed, the later telling of a step counts.

    Lines that were cut off are left out.
    """
    text = (folder / NAME).read_text(encoding="utf-8", errors="replace")
    events = [event for event in map(parse_line, text.splitlines()) if event.get("event") == kind and "step" in event]
    by_step = {event["step"]: event for event in events}
    return [by_step[step] for step in sorted(by_step)]
