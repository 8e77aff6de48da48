"""Parameters and multiply-adds of all models beside their published figures, or of each part of one model."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import nn

from vidtok.errors import VidtokError
from vidtok.models.architecture import Architecture
from vidtok.models.cost import count_cost
from vidtok.models.presets import find_preset, list_models, network_and_options
from vidtok.models.published import PUBLISHED, Published

START, END = "<!-- models:start -->", "<!-- models:end -->"


def run_models(pattern: str = "*", *, check_file: str | Path | None = None, write: str | Path | None = None) -> int:
    """Print the table of all models whose names fit; or compare it with a file's, or put it there; the exit status."""
    names = list_models(pattern)
    if not names:
        raise VidtokError(f"no model's name fits {pattern!r}; there are: {', '.join(list_models())}")
    table = models_table(names)
    if check_file is not None:
        return check_table(Path(check_file), table)
    if write is not None:
        before, _, after = between_markers(Path(write))
        Path(write).write_text(f"{before}\n{table}\n{after}", encoding="utf-8")
        return 0
    print(table)
    return 0


def models_table(names: Iterable[str]) -> str:
    """One row for each model, at the clip for which its cost is published, or else at its own."""
    rows = []
    for name in names:
        stated = PUBLISHED.get(name, Published(source=""))
        preset = find_preset(name)
        frames, size = stated.frames or preset.frames, stated.size or preset.size
        cost = count_cost(build(name, frames=frames, size=size), frames=frames, size=size)[""]
        rows.append(
            (
                f"`{name}`",
                f"{size}²" if frames == 1 else f"{frames} × {size}²",
                f"{cost.parameters / 1e6:.2f}",
                "" if stated.parameters is None else f"{stated.parameters:g}",
                f"{cost.macs / 1e9:.{3 if cost.macs < 1e9 else 2}f}",
                "" if stated.macs is None else f"{stated.macs:g}",
                stated.source,
            )
        )
    titles = ("model", "clip", "parameters (M)", "published", "multiply-adds (G)", "published", "source")
    return markdown(titles, rows, right=(2, 3, 4, 5))


def parts_table(name: str, *, depth: int) -> str:
    """One row for each part of a model that costs something, down to `depth` levels, its own parts included."""
    preset = find_preset(name)
    network = build(name, frames=preset.frames, size=preset.size)
    cost = count_cost(network, frames=preset.frames, size=preset.size)
    rows = [
        (part or name, type(module).__name__, f"{cost[part].parameters:,}", f"{cost[part].macs:,}")
        for part, module in network.named_modules()
        if (not part or part.count(".") < depth) and (cost[part].parameters or cost[part].macs)
    ]
    return markdown(("part", "kind", "parameters", "multiply-adds"), rows, right=(2, 3))


def build(name: str, *, frames: int, size: int) -> nn.Module:
    """The model's network on the meta device: shapes without numbers."""
    network, options = network_and_options({"name": name})
    classes = find_preset(name).classes
    with torch.device("meta"):
        return Architecture(network=network, options=options, frames=frames, size=size).build(classes=classes or 400)


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int]) -> str:
    """A Markdown table; the columns in `right` are set to the right."""
    rules = ["---:" if column in right else "---" for column in range(len(titles))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rules, *rows))


def between_markers(file: Path) -> tuple[str, str, str]:
    """A file's text up to the first marker, between the markers, and from the second one on."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise VidtokError(f"{file}: cannot be read: {error.strerror}") from error
    before, start, rest = text.partition(START)
    inside, end, after = rest.partition(END)
    if not start or not end:
        raise VidtokError(f"{file}: the table stands between lines {START} and {END}, and there are no such lines")
    return before + start, inside, end + after


def check_table(file: Path, table: str) -> int:
    """0 where the file holds this table; otherwise 1, after the lines in which they differ."""
    there, here = between_markers(file)[1].strip().splitlines(), table.splitlines()
    if there == here:
        return 0
    print(f"{file}: the table of models is out of date; mend it by: python tools/model_table.py --write {file}")
    print(
        "\n".join(
            [f"- {line}" for line in there if line not in here] + [f"+ {line}" for line in here if line not in there]
        )
    )
    return 1
