"""What a run says: one JSON line per event; the console, TensorBoard and the curves are views of it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Log:
    """Events into `log.jsonl` and TensorBoard, and progress on the console: a bar on a terminal, lines elsewhere.

    Only the main process has one that writes; for the others `folder` is None and nothing is said.
    """

    def __init__(self, folder: Path | None, *, steps: int, first_step: int = 0):
        self.steps = steps
        self._file = self._board = self._bar = None
        if folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import: only where it is used

        folder.mkdir(parents=True, exist_ok=True)
        self._file = open(folder / "log.jsonl", "a", encoding="utf-8")  # noqa: SIM115 - open as long as the run
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)
        if sys.stderr.isatty():
            self._bar = tqdm(total=steps, initial=first_step, unit="step", dynamic_ncols=True, smoothing=0.1)

    def event(self, kind: str, **values: Any) -> None:
        """One line of the log."""
        if self._file is not None:
            self._file.write(json.dumps({"event": kind, "time": round(time.time(), 3), **values}) + "\n")
            self._file.flush()

    def say(self, text: str) -> None:
        """A line for a person."""
        if self._bar is not None:
            self._bar.write(text)
        elif self._file is not None:
            print(text, flush=True)

    def scalars(self, kind: str, step: int, **values: float) -> None:
        """Figures of one step, into the log and into TensorBoard as `kind/name`."""
        self.event(kind, step=step, **values)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def progress(
        self, step: int, *, loss: float, lr: float, clips_per_second: float, waiting: float, eta_seconds: float
    ):
        """The run after `step` updates. `waiting` is the share of time in which the step waited for data."""
        self.scalars("train", step, loss=loss, lr=lr, clips_per_second=clips_per_second, waiting=waiting)
        figures = f"loss {loss:.3f} | lr {lr:.2e} | {clips_per_second:.1f} clips/s | waiting for data {waiting:.0%}"
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix_str(figures)
        else:
            self.say(f"step {step}/{self.steps} | {figures} | eta {clock(eta_seconds)}")

    def close(self) -> None:
        for part in (self._bar, self._board, self._file):
            if part is not None:
                part.close()


def clock(seconds: float) -> str:
    """`75` -> `1:15`, `3700` -> `1:01:40`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def read_log(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of one kind, by step; where a run was resumed, the later telling of a step counts."""
    events: dict[int, dict[str, Any]] = {}
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == kind:
            events[event["step"]] = event
    return [events[step] for step in sorted(events)]


def plot_curves(folder: Path) -> Path:
    """Loss, learning rate and validation accuracy over the steps, as `curves.png` in the run's folder."""
    from matplotlib.figure import Figure  # no pyplot: it would look for a display

    steps, checks = read_log(folder, "train"), read_log(folder, "val")
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([e["step"] for e in steps], [e["loss"] for e in steps], color="tab:blue")
    left.set(xlabel="step", ylabel="training loss (mean since the last point)", title="loss")
    if checks:
        figure_name = next(name for name in checks[0] if name not in ("event", "time", "step"))
        right.plot(
            [e["step"] for e in checks],
            [e[figure_name] for e in checks],
            marker=".",
            color="tab:green",
            label=f"val {figure_name}, one view",
        )
        right.set(ylabel=figure_name, ylim=(0, 1.02))
        right.legend(loc="center right", frameon=False)
    rate = right.twinx()
    rate.plot([e["step"] for e in steps], [e["lr"] for e in steps], color="tab:orange", linewidth=1)
    rate.set_ylabel("learning rate", color="tab:orange")
    right.set(xlabel="step", title="validation and learning rate")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    path = folder / "curves.png"
    figure.savefig(path, dpi=120)
    return path
