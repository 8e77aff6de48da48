"""The result line and the share of opposites, from figures that are known."""

from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from vidtok.cli.results import opposite_share, result_line
from vidtok.config_io import load_config
from vidtok.data.lists import Records
from vidtok.evaluate import Accuracy, Predictions

CLASSES = ("right", "left", "down", "up", "clockwise", "anticlockwise", "grow", "shrink")


def config(*overrides):
    return load_config(ROOT / "configs/motion_vivit_tl8.yaml", overrides)


def figures(failed, top1, top5):
    return Accuracy(n=400, failed=failed, top1=top1, top5=top5, top1_readable=top1 + 0.1, top5_readable=top5)


def test_the_line_carries_its_protocol():
    val = Records(["a.mp4"], [[0]], root=Path("/d/motion"), source=Path("/d/motion/val.csv"))
    line = result_line(config(), val, figures(0, 0.985, 1.0), figures(0, 0.9, None), None)
    assert line == "motion val n=400 failed=0 | 4x3 views, mean logits | top1 0.985 top5 1.000 | 1 view top1 0.900"
    settings = ["eval.control=reverse", "eval.aggregate=max", "eval.clips=2", "eval.crops=1"]
    line = result_line(config(*settings), val, figures(3, 0.5, 0.75), figures(3, 0.25, 0.5), 0.875)
    assert line == (
        "motion val n=400 failed=3 | 2x1 views, max score, control reverse | top1 0.500 top5 0.750 "
        "| 1 view top1 0.250 top5 0.500 | readable only top1 0.600 top5 0.750 | opposite 0.875"
    )


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
