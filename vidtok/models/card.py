"""README.md of a saved model: what it is and how to use it, from what is known of it and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = """---
library_name: vidtok
pipeline_tag: video-classification
tags:
- video-classification
---
"""

MARK = "<!-- Written by vidtok, and again when a model is saved here. Remove this line to keep a text of your own. -->"


def model_card(description: Mapping[str, Any]) -> str:
    """The text, from a model's description as config.json has it."""
    model, normalisation, names = description["model"], description["normalisation"], description["class_names"]
    size = model["size"]
    rows, columns = (size, size) if isinstance(size, int) else size
    frames = model["frames"]
    clip = f"{frames} frame{'s' if frames > 1 else ''} of {rows} x {columns} pixels"
    return f"""{HEADER}
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

- A clip: {clip}, as bytes; the model normalises them by itself (mean {_colours(normalisation["mean"])},
  deviation {_colours(normalisation["std"])} of values in 0..1).
- {_taking(description.get("clip"))}
- `config.json` holds all of this, `model.safetensors` the weights.
"""


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
