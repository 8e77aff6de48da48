"""README.md of a saved model: what it is and how to use it, from what is known of it and nothing else."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

HEADER = """---
library_name: vidtok
pipeline_tag: video-classification
{licence}tags:
- video-classification
---
"""

MARK = "<!-- Written by vidtok, and again when a model is saved here. Remove this line to keep a text of your own. -->"


def model_card(description: Mapping[str, Any], *, cost: tuple[int, int] | None = None) -> str:
    """The text, from a model's description as config.json has it; `cost`: parameters, and multiply-adds for a clip."""
    model, normalisation, names = description["model"], description["normalisation"], description["class_names"]
    size = model["size"]
    rows, columns = (size, size) if isinstance(size, int) else size
    frames = model["frames"]
    clip = f"{frames} frame{'s' if frames > 1 else ''} of {rows} x {columns} pixels"
    about = description.get("provenance") or {}
    licence = f"license: {json.dumps(about['licence'])}\n" if about.get("licence") else ""
    return f"""{HEADER.format(licence=licence)}
{MARK}

# {model["network"]}, {len(names)} classes

A video classifier of [vidtok](https://pypi.org/project/vidtok): {_shown(names)}.

```python
import torch
import vidtok

model = vidtok.load("FOLDER")  # this folder, or the model's id on a hub; in evaluation mode
clips = torch.zeros(1, {frames}, 3, {rows}, {columns}, dtype=torch.uint8)  # batch, frames, colours, rows, columns
logits = model(clips)  # batch, classes in the order of model.classes
scores = {_scores(description.get("clip"))}
```
{_predicting(description.get("clip"))}
## What it takes, and what it costs

- A clip: {clip}, as bytes; the model normalises them by itself (mean {_colours(normalisation["mean"])},
  deviation {_colours(normalisation["std"])} of values in 0..1).
- {_taking(description.get("clip"))}
- {_costs(cost)}
- `config.json` holds all of this, `model.safetensors` the weights.

## What it learned from, and how good it is

- Videos: {_line(about.get("data"))}
- Weights that it began with: {_line(about.get("weights"))}
- Measured: {_line(about.get("protocol"))}
{_figures(about.get("figures") or {})}
## Licence

{_licence(about)}
"""


def _predicting(taken: Mapping[str, Any] | None) -> str:
    """How a file is labelled, where it is known how clips are taken."""
    if taken is None:
        return ""
    return '\nFiles, folders of pictures: `model.predict("a.mp4").top()` gives the best classes with their scores.\n'


def _costs(cost: tuple[int, int] | None) -> str:
    if cost is None:
        return "Its cost was not counted."
    parameters, macs = cost
    return f"{parameters / 1e6:.2f} million parameters, {macs / 1e9:.2f} billion multiply-adds for a clip."


def _line(text: str | None) -> str:
    """On one line, since a line break would end the list; what Markdown or HTML would read as its own stays text."""
    if not text:
        return "not recorded."
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _figures(figures: Mapping[str, Sequence[float | None]]) -> str:
    if not figures:
        return ""
    rows = []
    for name, (value, low, high) in figures.items():
        around = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        rows.append(f"| {name} | {'none' if value is None else f'{value:.3f}'} | {around} |")
    return "\n| figure | value | 95 % interval |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _licence(about: Mapping[str, Any]) -> str:
    """Of this model as its maker says; of the weights behind it as far as they say it."""
    own = about.get("licence")
    if own:
        return f"{_line(own)}"
    behind = " The weights that it began with may bind it." if about.get("weights") else ""
    return (
        "Not stated. Whoever passes this model on writes it here, and as `license:` in the first lines of this file."
        + behind
    )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" … ({len(names)} in all)" if len(names) > 8 else "")


def _colours(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _scores(taken: Mapping[str, Any] | None) -> str:
    sigmoid = taken is not None and taken["scores"] == "sigmoid"
    return "logits.sigmoid()  # any number of classes at once" if sigmoid else "logits.softmax(dim=-1)"


def _taking(taken: Mapping[str, Any] | None) -> str:
    if taken is None:
        return "How clips were taken from videos (their stride, the scale of the picture) is not known."
    each = "every source frame" if taken["stride"] == 1 else f"one of {taken['stride']} source frames"
    rate = "" if taken["target_fps"] is None else f" of the video at {taken['target_fps']:g} frames per second"
    shapes = {
        "crop": f"the shorter side scaled to {taken['short_side']} pixels, the centre cut out",
        "pad": "the whole picture, with black bars",
        "squeeze": "the whole picture, bent to the clip's shape",
    }
    if taken["sampling"] == "segments":
        each, rate = "one frame from each of as many equal parts of the video", ""
    return f"Frames: {each}{rate} (sampling {taken['sampling']}); {shapes[taken['fit']]}."
