"""Charts of a report as SVG and HTML that need nothing else: lines, bars, a matrix, a reliability diagram.

Every word that comes from a user is escaped here. Colours are variables of the page (`vidtok.viz.page`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from jaxtyping import Int64
from torch import Tensor

WIDTH, HEIGHT = 420, 200
LEFT, RIGHT, TOP, BOTTOM = 66, 8, 10, 26
POINTS = 400
"""Points of a line at most; of more, evenly chosen ones."""
SHOWN_BARS = 40
"""Bars that are seen at once; the others are folded away."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Values over steps; a value that is None or not finite is a gap."""

    name: str
    steps: Sequence[float | int]
    values: Sequence[float | int | None]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A share of 0 to 1, or None, and what stands behind it."""

    name: str
    value: float | int | None
    note: str = ""


def clean(text: object) -> str:
    """Text for a page: escaped, and with what is no UTF-8 written as `\\xff`."""
    return escape(str(text).encode("utf-8", "backslashreplace").decode(), quote=True)


def line_chart(line: Line, *, unit: bool = False) -> str:
    """One line over its steps. `unit`: its values lie in 0 to 1, and the axis too. Nothing without a value."""
    every = max(1, -(-len(line.steps) // POINTS))
    points = [
        (float(x), None if y is None or not isfinite(y) else float(y))
        for x, y in list(zip(line.steps, line.values, strict=True))[::-1][::every][::-1]
    ]
    known = [y for _, y in points if y is not None]
    if not known:
        return ""
    low, high = (0.0, 1.0) if unit else (min(known), max(known))
    if high == low:
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)  # a constant in the middle, of its own size
    first, last = points[0][0], points[-1][0]

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - first) / (last - first) if last > first else 0.5
        return (
            LEFT + along * (WIDTH - LEFT - RIGHT),
            TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM),
        )

    runs: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append("{:.1f},{:.1f}".format(*place(x, y)))
    drawn = "".join(f'<polyline class="line" points="{" ".join(run)}"/>' for run in runs if len(run) > 1)
    drawn += "".join(
        '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}</title></circle>'.format(
            *place(x, y), f"step {x:g}: {y:.4g}"
        )
        for x, y in points
        if y is not None and len(points) <= 40
    )
    grid = "".join(_level(place(first, y)[1], short(y)) for y in (low, (low + high) / 2, high))
    ends = "".join(
        f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{step:g}</text>'
        for x, anchor, step in ((LEFT, "start", first), (WIDTH - RIGHT, "end", last))
    )
    label = f"{line.name} over steps {first:g} to {last:g}, last {known[-1]:.4g}"
    return _svg(label, grid + drawn + ends, WIDTH, HEIGHT)


def short(number: float) -> str:
    """Three digits in eight characters at most, which is what there is room for: 0.000976 is 9.76e-4."""
    words = f"{number:.3g}"
    if len(words) < 8:
        return words
    digits, power = f"{number:.2e}".split("e")
    return f"{digits}e{int(power)}"


def _level(y: float, words: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{words}</text>'
    )


def _svg(label: str, inner: str, width: int, height: int) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{clean(label)}">{inner}</svg>'


def bars(rows: Sequence[Bar]) -> str:
    """A line for each, in this order; those behind SHOWN_BARS are folded away."""
    drawn = [_bar(row) for row in rows]
    more = drawn[SHOWN_BARS:]
    folded = f"<details><summary>{len(more)} more</summary>{''.join(more)}</details>" if more else ""
    return f'<div class="bars">{"".join(drawn[:SHOWN_BARS])}{folded}</div>'


def _bar(row: Bar) -> str:
    words = "none" if row.value is None else f"{row.value:.3f}"
    width = 0 if row.value is None else 100 * min(max(row.value, 0.0), 1.0)
    return (
        f'<div class="bar"><span class="name" title="{clean(row.name)}">{clean(row.name)}</span>'
        f'<span class="track"><span style="width:{width:.1f}%"></span></span>'
        f'<span class="number">{words}</span><span class="note">{clean(row.note)}</span></div>'
    )


def matrix(counts: Int64[Tensor, "k k"], names: Sequence[str]) -> str:
    """A table of how often each class (row) was taken for each (column), shaded by the share of the row."""
    total = counts.sum(1).tolist()
    head = "".join(f'<th scope="col"><span title="{clean(name)}">{clean(name)}</span></th>' for name in names)
    body = []
    for name, row, of in zip(names, counts.tolist(), total, strict=True):
        cells = "".join(
            f'<td{" class=own" if names[place] == name else ""} style="--share:{count / of if of else 0:.3f}" '
            f'title="{clean(name)} taken for {clean(names[place])}: {count} of {of}">{count or ""}</td>'
            for place, count in enumerate(row)
        )
        body.append(f'<tr><th scope="row" title="{clean(name)}">{clean(name)}</th>{cells}</tr>')
    rows = f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table class="matrix">{rows}</table></div>'


def reliability_chart(bins: Sequence[tuple[float, float, int]]) -> str:
    """How often answers are right by their confidence: (confidence, accuracy, answers) of each bin, and the diagonal.

    The area of a dot grows with the number of answers.
    """
    side, edge = 260, 40
    most = max((n for *_, n in bins), default=1)

    def at(x: float | int, y: float | int) -> tuple[float, float]:
        return float(edge + x * (side - edge - 10)), float(10 + (1 - y) * (side - edge - 10))

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    drawn = f'<rect class="frame" x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}"/>'
    drawn += f'<line class="grid" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>'
    for confidence, accuracy, n in bins:
        (x, y), (_, ideal) = at(confidence, accuracy), at(confidence, confidence)
        drawn += f'<line class="gap" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{ideal:.1f}"/>'
        words = f"confidence {confidence:.2f}: {accuracy:.2f} right of {n}"
        radius = 3 + 6 * (n / most) ** 0.5
        drawn += f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{words}</title></circle>'
    for value in (0, 0.5, 1):
        (x, _), (_, y) = at(value, 0), at(0, value)
        drawn += f'<text x="{x}" y="{side - 14}" text-anchor="middle">{value:g}</text>'
        drawn += f'<text x="{edge - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    drawn += f'<text x="{(x0 + x1) / 2}" y="{side - 1}" text-anchor="middle">confidence</text>'
    return _svg("share of right answers by confidence", drawn, side, side)
