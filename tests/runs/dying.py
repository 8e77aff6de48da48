"""Work that kills its own process, by a module that an actor imports quickly."""

import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from vidtok.runs.ray_job import Arrays, Work
from vidtok.types import Failure


class Dying:
    """Other work, with a death at one video the first time that it is seen, and at another one every time."""

    held_bytes = 0

    def __init__(self, inner: Work, folder: Path, *, once: str, always: str):
        self.inner, self.folder, self.once, self.always = inner, folder, once, always

    def start(self, device: torch.device) -> None:
        (self.folder / f"process {os.getpid()}").touch()
        self.inner.start(device)

    def __call__(self, paths: Sequence[Path]) -> Iterable[Arrays | Failure]:
        for path in paths:
            died = self.folder / "died"
            if path.name == self.always or (path.name == self.once and not died.exists()):
                if path.name == self.once:
                    died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            with (self.folder / f"done {path.name}").open("a") as file:
                file.write("x")
            yield from self.inner([path])
