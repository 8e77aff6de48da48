"""Stacked bars of where time goes, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLOURS = ("#d62728", "#8c564b", "#e377c2", "#1f77b4", "#17becf", "#0b3d66", "#ff7f0e", "#bcbd22", "#2ca02c", "#9467bd")
REST_COLOUR = "#c7c7c7"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One panel: a bar for each of `columns`, which are seconds by the name of a part. A single one lies.

    `means` are those of the parts over the columns, in the order in which they are drawn; the last one is grey.
    """

    title: str
    columns: Sequence[Mapping[str, float]]
    means: Mapping[str, float]

    def __post_init__(self):
        if not self.columns:
            raise ValueError(f"{self.title}: bars need at least one column")


def draw_bars(panels: Sequence[Bars], path: Path) -> None:
    """The panels one below the other as a PNG, each with the means of its parts beside it."""
    from matplotlib.figure import Figure  # no pyplot: it would look for a display

    heights = [1.2 if len(panel.columns) == 1 else 2.0 for panel in panels]
    figure = Figure(figsize=(11, 1.7 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel)
    figure.savefig(path, dpi=110)


def _draw_panel(axis: Any, panel: Bars) -> None:
    means, places = panel.means, range(1, len(panel.columns) + 1)
    whole, bottoms = sum(means.values()), [0.0] * len(panel.columns)
    lying = len(panel.columns) == 1
    for number, (name, mean) in enumerate(means.items()):
        colour = REST_COLOUR if number == len(means) - 1 else COLOURS[number % len(COLOURS)]
        heights = [max(column.get(name, 0.0), 0.0) * 1000 for column in panel.columns]
        label = f"{name}  {mean * 1000:.1f} ms  {mean / whole:.0%}"
        if lying:
            axis.barh(places, heights, left=bottoms, color=colour, label=label, height=0.5)
        else:
            axis.bar(places, heights, bottom=bottoms, color=colour, label=label, width=0.85)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axis.set_title(panel.title, loc="left", fontsize=10)
    if lying:
        axis.set(xlabel="ms", yticks=[], ylim=(0.5, 1.5))
    else:
        axis.set(ylabel="ms", xlabel="step")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3, axis="x" if lying else "y")
    axis.set_axisbelow(True)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, reverse=not lying)
