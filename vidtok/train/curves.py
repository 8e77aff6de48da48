"""The curves of a run as a picture, from its log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidtok.train.log import read_log


def plot_curves(folder: Path) -> Path:
    """`curves.png` in the run's folder, over the steps:

    loss             validation, the best one marked
    learning rate    speed, and the share of time in which steps waited for data
    gradient norm
    """
    from matplotlib.figure import Figure  # no pyplot: it would look for a display
    from matplotlib.ticker import LogFormatter

    steps, checks, starts = (read_log(folder, kind) for kind in ("train", "val", "start"))
    x = [event["step"] for event in steps]
    figure = Figure(figsize=(11, 6.4))
    # Margins that fit: to have them found takes longer than a small run's steps.
    margins = {"left": 0.1, "right": 0.935, "top": 0.95, "bottom": 0.085, "wspace": 0.38, "hspace": 0.22}
    (loss, check), (rate, speed) = figure.subplots(2, 2, sharex=True, gridspec_kw=margins)

    loss.plot(x, _column(steps, "loss"), color="tab:blue")
    _title(loss, "training loss (mean since the last point)")

    _plot_checks(check, checks, averaged=any(event.get("averages") for event in starts))

    rate.plot(x, _column(steps, "lr"), color="tab:orange")
    _title(rate, "highest learning rate, gradient norm before clipping")
    rate.set(xlabel="step", ylim=(0, None))
    rate.set_ylabel("learning rate", color="tab:orange")
    norm = rate.twinx()
    norm.plot(x, _column(steps, "gradient_norm"), color="tab:grey", linewidth=0.8)
    norm.set_yscale("log")
    norm.yaxis.set_major_formatter(LogFormatter())  # digits: powers of ten as formulas take a tenth of the drawing
    norm.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    norm.set_ylabel("gradient norm", color="tab:grey")

    speed.plot(x, _column(steps, "clips_per_second"), color="tab:purple")
    _title(speed, "speed, and share of time waiting for data")
    speed.set(xlabel="step", ylim=(0, None))
    speed.set_ylabel("clips/s", color="tab:purple")
    waiting = speed.twinx()
    waiting.fill_between(x, _column(steps, "waiting"), color="tab:red", alpha=0.25, linewidth=0)
    waiting.set(ylim=(0, 1))
    waiting.set_ylabel("waiting", color="tab:red")

    for axis in (loss, check, rate, speed):
        axis.grid(alpha=0.3)
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    return path


def _title(axis: Any, words: str) -> None:
    """Where titles stand anyway; left to itself, matplotlib measures every label of the axes to find that out."""
    axis.set_title(words, y=1.0)


def _plot_checks(axis: Any, checks: Sequence[Mapping[str, Any]], *, averaged: bool) -> None:
    names = [name for name in checks[0] if name not in ("event", "time", "step")] if checks else []
    what = "one view, averaged weights" if averaged else "one view"
    _title(axis, f"validation ({what})" if names else "no validation")
    axis.set(ylim=(0, 1.02))
    for name, colour in zip(names, ("tab:green", "tab:olive"), strict=False):
        values = _column(checks, name)
        best = max(range(len(values)), key=values.__getitem__)
        axis.plot([event["step"] for event in checks], values, marker=".", color=colour, label=f"val {name}")
        axis.plot(
            checks[best]["step"],
            values[best],
            marker="o",
            markersize=9,
            markerfacecolor="none",
            color=colour,
            linestyle="none",
            label=f"best {values[best]:.3f}, step {checks[best]['step']}",
        )
    if names:
        axis.legend(loc="best", frameon=False)


def _column(events: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """A gap where there is none, or the log has null: the number was not finite."""
    values = [event.get(name) for event in events]
    return [float("nan") if value is None else value for value in values]
