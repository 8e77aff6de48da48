"""How tools/bench_scaling.py shows what it measured: tables and a picture."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WHOLE, REST, AMONG = "whole", "the rest", "attention among super tokens"
"""The parts of a mixer that are timed."""


def table(axis: Mapping[str, Any]) -> str:
    """An axis as a Markdown table: milliseconds by size, exponents, claim and bar."""
    sizes = [point["size"] for point in axis["rows"][0]["points"]] if axis["rows"] else []
    columns = ["mixer", "part", *(f"{size}, ms" for size in sizes)]
    columns += ["exponent of seconds", "of multiply-adds", "the paper says", "borne out", "bar"]
    lines = [
        f"{axis['title']}; exponents over tokens from {axis['fit'][0]} to {axis['fit'][1]}",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for row in axis["rows"]:
        cells = [row["mixer"], row["part"], *(point_cell(point) for point in row["points"])]
        cells.append(seconds_cell(row, axis["fit"][1]))
        cells.append("-" if row["exponent_macs"] is None else f"{row['exponent_macs']:.2f}")
        cells += [row["claim"] or "-", {True: "yes", False: "no", None: "-"}[row["borne_out"]]]
        met = {True: "met", False: "missed", None: "not measured"}[row["bar_met"]]
        cells.append("-" if row["bar"] is None else f"<= {row['bar']}, {met}")
        lines.append(f"| {' | '.join(cells)} |")
    for left in axis["left_out"]:
        lines.append(f"| {left['mixer']} | {left['why']} |{' |' * (len(columns) - 2)}")
    return "\n".join(lines)


def point_cell(point: Mapping[str, Any]) -> str:
    if point["expected_seconds"] is not None:
        return f"skipped: a pass takes about {point['expected_seconds']:.1f} s"
    return "-" if point["seconds"] is None else f"{point['seconds'] * 1e3:.1f}"


def seconds_cell(row: Mapping[str, Any], wanted: int) -> str:
    if row["exponent_seconds"] is None:
        return "no fit" if any(point["turns"] for point in row["points"]) else "-"
    turns = row["exponents_of_turns"]
    short = "" if row["seconds_fitted_to"] == wanted else f", up to {row['seconds_fitted_to']} only"
    return f"{row['exponent_seconds']:.2f} ({min(turns):.2f} to {max(turns):.2f}{short})"


def plot(axes: Sequence[Mapping[str, Any]], about: str, path: Path, *, names: Sequence[str]) -> None:
    """Milliseconds above, multiply-adds below, over the tokens of a clip; exponents in the legends.

    `names`: all mixers, each of which has its colour whatever else is shown.
    """
    from matplotlib.figure import Figure  # no pyplot: it would look for a display
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    figure = Figure(figsize=(5.4 * len(axes), 10), layout="constrained")
    panels = figure.subplots(2, len(axes), squeeze=False)
    marks = "osD^vPX*"
    for column, axis in enumerate(axes):
        ticks: dict[int, int] = {}
        for height, (key, unit) in enumerate((("seconds", 1e3), ("macs", 1e-9))):
            panel = panels[height][column]
            for row in axis["rows"]:
                if row["part"] not in (WHOLE, REST):
                    continue
                ticks |= {point["tokens"]: point["size"] for point in row["points"]}
                shown = [(p["tokens"], p[key] * unit) for p in row["points"] if p[key] is not None and p[key] > 0]
                if not shown:
                    continue
                number = names.index(row["mixer"])
                panel.plot(
                    *zip(*shown, strict=True),
                    color=f"C{number}",
                    linestyle="--" if row["part"] == REST else "-",
                    marker=marks[number % len(marks)],
                    markersize=4.5,
                    linewidth=1.4,
                    label=legend_words(row, key),
                )
            panel.set(xscale="log", yscale="log")
            panel.grid(alpha=0.3)
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.12g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.xaxis.set_major_locator(FixedLocator(list(ticks)))
            panel.xaxis.set_minor_locator(NullLocator())
            panel.set_xticklabels([f"{size}\n{tokens:,}" for tokens, size in ticks.items()], fontsize=8)
            panel.set_xlabel(f"{axis['title']}\n(below: tokens of a clip)")
            panel.set_ylabel("milliseconds for a pass" if key == "seconds" else "G multiply-adds for a pass")
            title = {"title": "exponent over tokens", "title_fontsize": 7.5, "alignment": "left"}
            panel.legend(loc="upper left", fontsize=7.5, frameon=False, **title)
            low, high = panel.get_ylim()
            panel.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend
        panels[0][column].set_title(f"exponents from {axis['fit'][0]} to {axis['fit'][1]}", fontsize=10)
    figure.suptitle("\n".join(textwrap.wrap(f"mixers alone, {about}", 62 * len(axes))), fontsize=11)
    figure.savefig(path, dpi=100)


def legend_words(row: Mapping[str, Any], key: str) -> str:
    value = row["exponent_seconds" if key == "seconds" else "exponent_macs"]
    name = row["mixer"] if row["part"] == WHOLE else f"{row['mixer']}, without {AMONG}"
    skipped = [str(p["size"]) for p in row["points"] if p["expected_seconds"] is not None and key == "seconds"]
    words = f"{'-' if value is None else f'{value:.2f}'}  {name}"
    return f"{words} ({', '.join(skipped)} skipped)" if skipped else words
