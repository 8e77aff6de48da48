"""What a stream says while it runs: a line of JSON for each window, and words on the console."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TextIO

from vidtok.errors import ConfigError
from vidtok.runs.folders import make_folder
from vidtok.text.console import printable, say
from vidtok.viz.timeline import shown_time

LINE_SECONDS, TERMINAL_SECONDS = 10.0, 0.1
"""How often the label that has not changed is said again."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """What is said at the moment."""

    seconds: float
    guesses: tuple[tuple[str, float], ...]
    lag_seconds: float | None


def state_words(label: Label, dropped: int) -> str:
    """How far a label is behind; nothing, of a source that waits."""
    if label.lag_seconds is None:
        return ""
    return f"{label.lag_seconds:.1f} s behind" + (f", {dropped} steps dropped" if dropped else "")


class Lines:
    """Where labels are said: a line of JSON for each window, and the console. Use it as a context manager.

    On a terminal one line is written over and over; elsewhere a line comes when the best class changes, and now and
    then.
    """

    def __init__(self, path: str | Path | None, *, top: int, shown: bool):
        self.top, self.shown = top, shown
        self._own = path is not None and str(path) != "-"
        self._file: TextIO | None = None
        if self._own:
            target = Path(str(path))
            make_folder(target.parent, option="--jsonl")
            try:
                self._file = open(target, "w", encoding="utf-8")  # noqa: SIM115
            except OSError as error:
                raise ConfigError(f"--jsonl {target}: cannot be written ({error.strerror})") from error
        elif path is not None:
            self._file = sys.stdout
        self._terminal = shown and sys.stdout.isatty()
        self._said_at, self._said = -1e9, ""
        self._wide = 0

    def say(self, label: Label, dropped: int) -> None:
        best = label.guesses[: self.top]
        if self._file is not None:
            row = {
                "seconds": round(label.seconds, 4),
                "label": best[0][0],
                "predictions": [{"class": name, "score": round(score, 6)} for name, score in best],
                "lag_seconds": None if label.lag_seconds is None else round(label.lag_seconds, 4),
                "dropped": dropped,
            }
            print(json.dumps(row, ensure_ascii=False), file=self._file, flush=True)
        if not self.shown:
            return
        now, name = monotonic(), best[0][0]
        if now - self._said_at < (TERMINAL_SECONDS if self._terminal else LINE_SECONDS) and (
            self._terminal or name == self._said
        ):
            return
        self._said_at, self._said = now, name
        state = state_words(label, dropped)
        words = "   ".join(
            [
                shown_time(round(label.seconds, 2), whole=False),
                *(f"{each} {score:.3f}" for each, score in best),
                *([state] if state else []),
            ]
        )
        if not self._terminal:
            say(words)
            return
        words = printable(words, encoding=sys.stdout.encoding or "utf-8")
        print(f"\r{words:<{self._wide}}", end="", flush=True)
        self._wide = len(words)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *error: object) -> None:
        if self._terminal and self._wide:
            print(flush=True)
        if self._own and self._file is not None:
            self._file.close()
