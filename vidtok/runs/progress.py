"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from time import monotonic

from tqdm import tqdm

from vidtok.text.console import printable, say
from vidtok.types import Batch

LINE_SECONDS = 10.0
BAR_SECONDS = 0.5
LINES_APART, MOST_SECONDS = 1.5, 600.0
"""Without a terminal a line comes after LINE_SECONDS, and then ever more rarely: a dozen in the first half an hour."""


class _Bar(tqdm):
    monitor_interval = 0  # no thread of its own: processes are forked beside it


class FileProgress:
    """Counts files; use it as a context manager. `bad` ones are counted apart, and named by `say`."""

    def __init__(self, total: int, *, done: int = 0):
        self.total, self.done, self.bad = total, done, 0
        self._first, self._started, self._said = done, monotonic(), monotonic()
        self._gap = LINE_SECONDS
        self._bar = None
        if sys.stderr.isatty():
            self._bar = _Bar(total=total, initial=done, unit="file", dynamic_ncols=True, smoothing=0.05)

    def add(self, *, bad: bool) -> None:
        """One more file."""
        self.done += 1
        self.bad += bad
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.bad} bad", refresh=False)
            self._bar.update()
        elif monotonic() - self._said > self._gap:
            self._said = monotonic()
            self._gap = min(LINES_APART * self._gap, MOST_SECONDS)
            rate = (self.done - self._first) / (self._said - self._started)
            left = (self.total - self.done) / rate / 60
            self.say(f"{self.done} of {self.total} files, {self.bad} bad, {rate:.1f} files/s, {left:.0f} min left")

    def part(self, share: float | int) -> None:
        """How far the file at hand is, 0 to 1: may be called at any rate."""
        if monotonic() - self._said <= (self._gap if self._bar is None else BAR_SECONDS):
            return
        self._said = monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.bad} bad, {share:.0%} of the next")
        else:
            self._gap = min(LINES_APART * self._gap, MOST_SECONDS)
            self.say(f"{self.done} of {self.total} files, {self.bad} bad, {share:.0%} of the next")

    def say(self, text: str) -> None:
        """A line for a person, above the bar."""
        if self._bar is not None:
            self._bar.write(printable(text, encoding=sys.stdout.encoding or "utf-8"))
        else:
            say(text)

    def __enter__(self) -> "FileProgress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()


def counted(batches: Iterable[Batch], progress: FileProgress) -> Iterator[Batch]:
    """The batches; the videos of each count when the next one is asked for, which is when the network has seen them."""
    for batch in batches:
        yield batch
        for bad in (*[True] * len(batch.failures), *[False] * len(batch)):
            progress.add(bad=bad)


class ShareProgress:
    """How far one long piece of work is, by its share: call it as often as you like, use it as a context manager."""

    def __init__(self, words: str):
        self._words, self._said, self._gap = words, monotonic(), LINE_SECONDS
        self._bar = None
        if sys.stderr.isatty():
            form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
            self._bar = _Bar(total=1.0, desc=words, bar_format=form, dynamic_ncols=True, leave=False)

    def __call__(self, share: float | int) -> None:
        """0 to 1, never less than before."""
        if self._bar is not None:
            self._bar.update(share - self._bar.n)
        elif monotonic() - self._said > self._gap and share < 1:
            self._said = monotonic()
            self._gap = min(LINES_APART * self._gap, MOST_SECONDS)
            say(f"{self._words}: {share:.0%}")

    def __enter__(self) -> "ShareProgress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
