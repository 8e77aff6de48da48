"""What happens when in a video: a row for each class that occurs, bars for its segments, its score behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from vidtok.viz.text import drawable, font_for, main_font
from vidtok.viz.time_bars import COLOURS

MOST_ROWS = 16
BAR_ALPHA = 0.35
WIDTH, ROW, BESIDE = 11.0, 0.42, 1.3
"""In inches, of the picture, of a class's row, and of title and axis together."""


@dataclass(frozen=True, kw_only=True)
class TimelineBar:
    """A part of the video and the class that it shows."""

    start_seconds: float
    end_seconds: float
    label: int
    score: float


def draw_timeline(
    bars: Sequence[TimelineBar],
    path: Path,
    *,
    classes: Sequence[str],
    ends: tuple[float, float],
    scores: tuple[Float64[np.ndarray, "n"], Float[np.ndarray, "n k"]],
    cuts: Sequence[float] = (),
    title: str,
) -> None:
    """A PNG. `ends`: where the video begins and ends; `scores`: times, and the scores of all classes there.

    Of more than MOST_ROWS classes those that fill the most time have a row, in the order of their first segments. Cuts
    are thin lines.
    """
    from matplotlib.figure import Figure  # no pyplot: it would look for a display

    labels = label_rows(bars)
    figure = Figure(figsize=(WIDTH, BESIDE + ROW * max(1, len(labels))), layout="constrained")
    axis = figure.subplots()
    times, values = scores
    for row, label in enumerate(labels):
        colour = COLOURS[row % len(COLOURS)]
        own = [(bar.start_seconds, bar.end_seconds - bar.start_seconds) for bar in bars if bar.label == label]
        axis.broken_barh(own, (row - 0.4, 0.8), facecolors=colour, alpha=BAR_ALPHA, linewidth=0)
        axis.plot(times, row + 0.4 - 0.8 * values[:, label], color=colour, linewidth=1.0)
    for cut in cuts:
        axis.axvline(cut, color="#444444", linewidth=0.5, linestyle=":")
    left = len({bar.label for bar in bars}) - len(labels)
    more = f"   ({left} more classes)" if left else ""
    axis.set_title(one_font(title) + more, loc="left", fontsize=10, parse_math=False)
    axis.set(xlim=ends, ylim=(max(1, len(labels)) - 0.5, -0.5), yticks=range(len(labels)))
    axis.set_yticklabels([one_font(classes[label]) for label in labels], fontsize=9, parse_math=False)
    axis.xaxis.set_major_formatter(lambda seconds, _: shown_time(seconds, whole=ends[1] - ends[0] > 20))
    axis.grid(alpha=0.3, axis="x")
    axis.set_axisbelow(True)
    figure.savefig(path, dpi=110)


def label_rows(bars: Sequence[TimelineBar]) -> list[int]:
    """The classes that have a row, in the order of their first segments."""
    filled: dict[int, float] = {}
    for bar in sorted(bars, key=lambda bar: bar.start_seconds):
        filled[bar.label] = filled.get(bar.label, 0.0) + bar.end_seconds - bar.start_seconds
    kept = sorted(filled, key=lambda label: -filled[label])[:MOST_ROWS]
    return [label for label in filled if label in kept]


def one_font(text: str) -> str:
    """The text with an escape for each letter that matplotlib's own font has not."""
    return "".join(
        letter if font_for(letter) == main_font() else letter.encode("unicode_escape").decode("ascii")
        for letter in drawable(text)
    )


def shown_time(seconds: float, *, whole: bool) -> str:
    """As players show it: 1:02:03, or 4.5 s where a video is short."""
    if not whole:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
