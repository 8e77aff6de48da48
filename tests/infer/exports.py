"""Exported files for tests: `python -m tests.infer.exports FOLDER` writes them without the shape check, which torch
cannot trace. FOLDER/said.json holds what was said of each, and the refusals."""

import importlib
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import nn

from vidtok.choices import ExportInput
from vidtok.cli import guarded
from vidtok.errors import VidtokError
from vidtok.infer.export import export_program
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.feeding import Feeding
from vidtok.models.network import Network
from vidtok.runs import export as runs

CLASSES = ("blue", "green", "red")
VIVIT = {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2, "token_learner": {"after_block": 1, "tokens": 3}}


def small_model(
    name: str = "vivit", *, frames: int = 4, size: int | tuple[int, int] = (16, 24), **options
) -> Classifier:
    """A tiny model that can be saved, of which nothing is zero."""
    torch.manual_seed(0)
    plan = Architecture(network=name, options=options or VIVIT, frames=frames, size=size)
    network = plan.build(classes=len(CLASSES))
    with torch.no_grad():
        for each in network.parameters():
            if not each.any():
                each.normal_(std=0.3)
    feeding = Feeding(stride=1, short_side=None, fit="squeeze")
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    return Classifier(network, mean=mean, std=std, classes=CLASSES, architecture=plan, feeding=feeding).eval()


class FixedBatch(Network):
    """Writes the batch of the example into its program."""

    def __init__(self):
        super().__init__(frames=1, size=4)
        self.head = nn.Linear(48, 3)

    blocks = ()

    def beside_blocks(self):
        return ()

    def tokens(self, x):
        return x

    def logits(self, x):
        return self.head(x.reshape(int(x.shape[0]), 48)) + torch.zeros(int(x.shape[0]), 3)

    def reset_classifier(self, classes):
        raise NotImplementedError


class Untraceable(FixedBatch):
    """Asks a tensor for a number in the middle of its forward pass."""

    def logits(self, x):
        return self.head(x.flatten(1)) * (2.0 if float(x.sum()) > 0 else 1.0)


def said_by(run) -> str:
    with redirect_stdout(io.StringIO()) as out:
        try:
            run()
        except VidtokError as error:
            return f"refused: {error}"
    return out.getvalue()


def main(folder: Path) -> None:
    model = small_model()
    model.save_pretrained(folder / "model")
    said = {}
    programs: dict[str, torch.export.ExportedProgram] = {}

    def once(model: Classifier, *, takes: ExportInput = "pixels") -> torch.export.ExportedProgram:
        if takes not in programs:
            programs[takes] = export_program(model, takes=takes)
        return programs[takes]

    runs.export_program = once  # tracing takes the time; every model here is the same one
    command = importlib.import_module("vidtok.cli.export").run
    for name, more in {"model.onnx": [], "normalised.pt2": ["--input", "normalised", "--to", "pt2"]}.items():
        with redirect_stdout(io.StringIO()) as out:
            status = guarded(command, [str(folder / "model"), "--out", str(folder / name), *more])
        said[name] = {"status": status, "out": out.getvalue()}
    plain = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "classes": CLASSES}
    said["fixed"] = said_by(lambda: export_program(Classifier(FixedBatch(), **plain)))
    said["untraceable"] = said_by(lambda: export_program(Classifier(Untraceable(), **plain)))
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
