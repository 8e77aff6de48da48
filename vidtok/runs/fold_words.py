"""What runs of several say while they are at work, read from their logs: where they stand, when they end, warnings."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidtok.train.log import clock, parse_line

FIRST_SECONDS, LAST_SECONDS = 10.0, 120.0
"""From one telling to the next: at first, and at most."""


@dataclass(kw_only=True)
class Watched:
    """One run at work: how far its log has been read, and what it said there."""

    name: str
    folder: Path
    steps: int
    read: int = 0
    """Bytes of the log that have been read, those of an earlier start of the run with them."""
    step: int = 0
    loss: float | None = None
    since: tuple[float, int] | None = None
    """Time and step of the first figures of this start: what the rate is counted from."""
    told: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.read = self.log.stat().st_size if self.log.is_file() else 0

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    def look(self) -> None:
        """Read what has come since; a line that is not whole yet waits for the next look."""
        if not self.log.is_file():
            return
        with open(self.log, "rb") as file:
            file.seek(self.read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            self._take(parse_line(line.decode("utf-8", "replace")))

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("event") == "warning":
            self.warnings.append(event["text"])
        if event.get("event") == "train":
            self.step, self.loss, self.told = event["step"], event["loss"], event["time"]
            self.since = self.since or (self.told, self.step)

    def words(self) -> str:
        if self.since is None:
            return f"{self.name} | starting"
        if self.step >= self.steps:
            return f"{self.name} | trained, testing"
        loss = "" if self.loss is None else f" | loss {self.loss:.3f}"
        seconds, steps = self.told - self.since[0], self.step - self.since[1]
        left = f" | {clock((self.steps - self.step) * seconds / steps)} left" if steps > 0 else ""
        return f"{self.name} | step {self.step}/{self.steps}{loss}{left}"


class Teller:
    """Says now and then where the runs at work stand, and at once what they warn of, each text once over all runs."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._warned: set[str] = set()
        self._gap, self._next = FIRST_SECONDS, time.monotonic() + FIRST_SECONDS

    def __call__(self, watched: Sequence[Watched]) -> None:
        for each in watched:
            each.look()
            for text in each.warnings:
                if text not in self._warned:
                    self._warned.add(text)
                    self._say(f"{each.name} | warning: {text}")
            each.warnings.clear()
        if time.monotonic() >= self._next:
            self._gap = min(1.5 * self._gap, LAST_SECONDS)
            self._next = time.monotonic() + self._gap
            for each in watched:
                self._say(each.words())
