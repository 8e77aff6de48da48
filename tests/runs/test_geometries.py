"""Testing views that miss what training saw are told."""

import json

import pytest
import torch

from tests.conftest import small_run
from vidtok.build import build_lists
from vidtok.config_io import load_config
from vidtok.models.classifier import Classifier
from vidtok.models.network import Network
from vidtok.runs.geometries import compare_geometries
from vidtok.runs.train_words import start_warnings
from vidtok.train.log import Log
from vidtok.train.parallel import start_parallel
from vidtok.video.write import write_video


class Edges(Network):
    """A network that goes by the first columns of the picture: bright ones are class 1."""

    grid = (4, 20, 20)
    blocks = ()

    def beside_blocks(self):
        return []

    def tokens(self, x):
        return x.movedim(2, -1)

    def logits(self, x):
        edge = x[..., :2].mean((1, 2, 3, 4))
        return torch.stack([-edge, edge], dim=1)

    def reset_classifier(self, classes):
        raise AssertionError("nobody asks for it")


@pytest.mark.parametrize(("fit", "tested"), [("crop", 0.5), ("squeeze", 1.0), ("pad", 1.0)])
def test_testing_views_that_miss_what_training_saw_are_told(tmp_path, fit, tested):
    """Wide videos whose class stands at their left edge, which training saw (in the only box that fits its range)."""
    lines = []
    for number in range(12):
        film = torch.full((8, 3, 24, 96), 20, dtype=torch.uint8)
        film[..., :12] = 235 * (number % 2)
        write_video(tmp_path / f"{number}.mp4", film, fps=12)
        lines.append(f"{number}.mp4 {number % 2}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "classes.txt").write_text("dark\nbright\n")
    views = ["data.short_side=20", "data.scale=[1.0, 1.0]", "data.ratio=[1.0, 4.0]"]
    if fit != "crop":
        views = [f"data.fit={fit}", "data.short_side=null", "data.scale=[0.9, 1.0]", "data.ratio=[0.9, 1.1]"]
    _, cfg, *overrides = small_run(tmp_path, tmp_path / "run")
    lists = [f"data.train={tmp_path / 'list.csv'}", f"data.val={tmp_path / 'list.csv'}"]
    wide = ["data.size=20", "data.frames=4", "eval.crops=1"]
    config = load_config(
        cfg, [*overrides, *lists, *views, *wide, "eval.clips=1", "data.workers=0", "eval.opposites=[]"]
    )
    lists = build_lists(config)
    model = Classifier(Edges(frames=4, size=20), mean=[0.3] * 3, std=[0.5] * 3, classes=lists.classes)
    log = Log(tmp_path / "run", steps=1)
    if fit == "pad":  # bars above and below: the edge is a quarter as bright
        model = Classifier(Edges(frames=4, size=20), mean=[0.1] * 3, std=[0.5] * 3, classes=lists.classes)
    with start_parallel("cpu") as parallel:
        found = compare_geometries(config, model, lists.train, parallel, log)
    log.close()
    assert found is not None
    assert found["n"] == 12
    assert (found["top1_testing_views"], found["top1_training_crops"]) == (tested, 1.0)
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    warnings = [event["text"] for event in events if event["event"] == "warning"]
    assert len(warnings) == (fit == "crop")
    warned = start_warnings(config, lists, None)
    assert any("no box of 100 to 100 %" in text for text in warned) == (fit == "crop")
