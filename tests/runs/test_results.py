"""The result line and the share of opposites, from figures that are known."""

from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.data.lists import Records
from vidtok.infer.evaluate import Figures, Predictions
from vidtok.runs.results import opposite_share, result_line, write_predictions

CLASSES = ("right", "left", "down", "up", "clockwise", "anticlockwise", "grow", "shrink")


def config(*overrides):
    return load_config(ROOT / "configs/motion_vivit_tl8.yaml", overrides)


def figures(failed, *, empty_classes=0, **values):
    readable = {name: value + 0.1 for name, value in values.items()}
    return Figures(n=400, failed=failed, values=values, readable=readable, empty_classes=empty_classes)


def test_the_line_carries_its_protocol():
    val = Records(["a.mp4"], [[0]], root=Path("/d/motion"), source=Path("/d/motion/val.csv"))
    line = result_line(config(), val, figures(0, top1=0.985, top5=1.0), figures(0, top1=0.9), None)
    assert line == "motion val n=400 failed=0 | 4x3 views, mean logits | top1 0.985 top5 1.000 | 1 view top1 0.900"
    settings = ["eval.control=reverse", "eval.aggregate=max", "eval.clips=2", "eval.crops=1"]
    line = result_line(config(*settings), val, figures(3, top1=0.5, top5=0.75), figures(3, top1=0.25, top5=0.5), 0.875)
    assert line == (
        "motion val n=400 failed=3 | 2x1 views, max score, control reverse | top1 0.500 top5 0.750 "
        "| 1 view top1 0.250 top5 0.500 | readable only top1 0.600 top5 0.850 | opposite 0.875"
    )


def test_the_line_of_videos_with_several_labels():
    val = Records(["a.mp4"], [[0, 2]], root=Path("/d/charades"), source=Path("/d/charades/val.csv"))
    settings = config("train.loss=sigmoid", "eval.clips=10", "eval.aggregate=max")
    line = result_line(settings, val, figures(0, mAP=0.312), figures(0, mAP=0.29), None)
    assert line == "charades val n=400 failed=0 | 10x3 views, max score | mAP 0.312 | 1 view mAP 0.290"
    line = result_line(settings, val, figures(1, mAP=0.3, empty_classes=2), figures(1, mAP=0.2), None)
    assert line.endswith("| readable only mAP 0.400 | 2 classes without a video left out")


def test_several_labels_stand_in_one_column(tmp_path):
    predictions = Predictions(
        indices=(0,), video_ids=("a.mp4",), labels=((3, 1),), logits=torch.zeros(1, 1, 8), failures=()
    )  # fmt: skip
    write_predictions(tmp_path / "p.csv", predictions, torch.arange(8.0)[None], CLASSES)
    assert (tmp_path / "p.csv").read_text().splitlines()[1].startswith("a.mp4,up;left,shrink,7.000000,grow,6.000000,")


@pytest.mark.parametrize(("guesses", "share"), [([1, 0, 3, 2], 1.0), ([0, 1, 2, 3], 0.0), ([1, 0, 2, 3], 0.5)])
def test_opposites_are_counted_by_pairs(guesses, share):
    scores = torch.nn.functional.one_hot(torch.tensor(guesses), 8).float()
    predictions = Predictions(
        indices=(0, 1, 2, 3),
        video_ids=tuple("abcd"),
        labels=((0,), (1,), (2,), (3,)),
        logits=torch.zeros(4, 1, 8),
        failures=(),
    )
    assert opposite_share(scores, predictions, CLASSES, config()) == share
    assert opposite_share(scores, predictions, CLASSES, config("eval.opposites=[]")) is None
