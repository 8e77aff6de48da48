"""The result line and the share of opposites, from figures that are known."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.data.lists import Records, read_list
from vidtok.infer.evaluate import Figures, Predictions
from vidtok.runs.results import (
    is_result_of,
    largest_share,
    opposite_share,
    result_line,
    write_class_figures,
    write_damaged,
    write_predictions,
    write_results,
    write_scores,
)
from vidtok.types import Damaged, Failure

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


def test_damaged_videos_stand_in_the_line_and_in_a_list(tmp_path):
    val = Records(["a.mp4"], [[0]], root=Path("/d/motion"), source=Path("/d/motion/val.csv"))
    line = result_line(config(), val, replace(figures(1, top1=0.5), damaged=3), figures(1, top1=0.5), None)
    assert line.startswith("motion val n=400 failed=1 damaged=3 | ")
    whole = Predictions(indices=(), video_ids=(), labels=(), logits=torch.zeros(0, 1, 8), failures=())
    write_damaged(tmp_path / "d.csv", replace(whole, damaged=(Damaged(index=2, path=Path("a b.mp4"), frames=7),)))
    assert (tmp_path / "d.csv").read_text().split() == ["path,damaged_frames", "a", "b.mp4,7"]
    write_damaged(tmp_path / "d.csv", whole)
    assert not (tmp_path / "d.csv").exists()


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


def predicted(labels, scores):
    return Predictions(
        indices=tuple(range(len(labels))),
        video_ids=tuple(f"v{i}" for i in range(len(labels))),
        labels=labels,
        logits=scores[:, None],
        failures=(),
    )


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_each_class_has_its_figures(tmp_path):
    """Class a: 3 videos, 2 right; b: 1 video, right, and one of a is taken for it; c: none."""
    labels, guesses = ((0,), (0,), (0,), (1,)), [0, 0, 1, 1]
    scores = torch.nn.functional.one_hot(torch.tensor(guesses), 3).float()
    write_class_figures(tmp_path, scores, labels, ["a", "b", "c"])
    a, b, c = rows_of(tmp_path / "classes.csv")
    assert (a["class"], a["videos"], float(a["recall"]), float(a["precision"])) == ("a", "3", 0.666667, 1.0)
    assert float(a["f1"]) == pytest.approx(2 * (2 / 3) / (1 + 2 / 3), abs=1e-6)
    assert (float(b["recall"]), float(b["precision"]), float(b["f1"])) == (1.0, 0.5, 0.666667)
    assert (c["videos"], c["recall"], c["precision"], c["f1"]) == ("0", "", "", "")
    matrix = [row.split(",") for row in (tmp_path / "confusion.csv").read_text().splitlines()]
    assert matrix == [["class", "a", "b", "c"], ["a", "2", "1", "0"], ["b", "0", "1", "0"], ["c", "0", "0", "0"]]


def test_classes_of_several_labels_have_average_precision(tmp_path):
    (tmp_path / "confusion.csv").touch()
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.7, 0.3, 0.0]])
    write_class_figures(tmp_path, scores, ((0, 1), (1,), (0,)), ["a", "b", "c"])
    a, b, c = rows_of(tmp_path / "classes.csv")
    assert float(a["average_precision"]) == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    assert float(b["average_precision"]) == pytest.approx((1 / 2 + 2 / 3) / 2, abs=1e-6)
    assert (c["videos"], c["average_precision"]) == ("0", "")
    assert not (tmp_path / "confusion.csv").exists()  # of an earlier test with single labels


def test_all_scores_are_kept(tmp_path):
    scores = torch.rand(3, 8)
    val = Records(["v0", "v1", "v2", "bad"], [[0], [1, 2], [], [3]], root=tmp_path, source=tmp_path / "val.csv")
    found = predicted(((0,), (1, 2), ()), scores)
    found = replace(found, failures=(Failure(index=3, path=tmp_path / "bad", cause="broken", key="bad"),))
    write_scores(tmp_path / "p.npz", found, scores, CLASSES, val=val, groups=["x", "y", "x", 7])
    with np.load(tmp_path / "p.npz") as arrays:
        assert arrays["key"].tolist() == ["v0", "v1", "v2"]
        assert (arrays["group"].tolist(), arrays["failed_group"].tolist()) == (["x", "y", "x"], ["7"])
        assert arrays["failed"].tolist() == ["bad"]
        assert arrays["failed_labels"].nonzero()[1].tolist() == [3]
        assert arrays["video"].tolist() == ["v0", "v1", "v2"]
        assert arrays["classes"].tolist() == list(CLASSES)
        assert np.array_equal(arrays["scores"], scores.numpy())
        assert arrays["labels"].sum(1).tolist() == [1, 2, 0]
        assert arrays["labels"][1].nonzero()[0].tolist() == [1, 2]


def test_the_largest_class_stands_in_the_line():
    assert largest_share([(0,), (1,), (1,), (2,)]) == 0.5
    assert largest_share([(0,), (1, 2)]) is None
    assert largest_share([]) is None
    val = Records(["a.mp4"], [[0]], root=Path("/d/motion"), source=Path("/d/motion/val.csv"))
    line = result_line(config(), val, figures(0, top1=0.5), figures(0, top1=0.4), None, largest_class=0.125)
    assert line.endswith("| 1 view top1 0.400 | largest class 0.125")
    line = result_line(
        config("data.sampling=pytorchvideo_uniform"), val, figures(0, top1=0.5), figures(0, top1=0.4), None
    )
    assert "| up to 4x3 views, mean logits |" in line
    whole = config("data.fit=squeeze", "data.short_side=null", "eval.crops=1")
    line = result_line(whole, val, figures(0, top1=0.5), figures(0, top1=0.4), None)
    assert "| 4x1 views, mean logits, whole pictures (squeeze) |" in line


def test_whose_results_these_are(tmp_path):
    listed = tmp_path / "val.txt"
    listed.write_text("a.mp4 0\n")
    own = config(f"data.val={listed}")
    val = read_list(listed)
    out = tmp_path / "deep" / "out"
    write_results(out, own, val, {"figures": {"top1": 0.5}}, line="a line", checkpoint="c.pt")
    path = out / "results.json"
    assert json.loads(path.read_text())["versions"] == {"torch": str(torch.__version__)}
    results = json.loads(path.read_text())
    assert (results["line"], results["checkpoint"], results["list"]) == ("a line", "c.pt", str(listed))
    assert results["figures"] == {"top1": 0.5}
    assert is_result_of(path, own)
    for other in ("eval.clips=1", "eval.crops=1", "eval.aggregate=max", "eval.control=reverse", "data.short_side=300"):
        assert not is_result_of(path, config(f"data.val={listed}", other)), other
    assert is_result_of(path, config(f"data.val={listed}", "eval.batch=1")), "which changes no figure"
    listed.write_text("a.mp4 1\n")
    assert not is_result_of(path, own)
    path.write_text("{")
    assert not is_result_of(path, own)
    assert not is_result_of(tmp_path / "none.json", own)


def test_the_line_says_what_is_out_of_the_ordinary():
    val = Records(["a.mp4"], [[0]], root=Path("/d/motion"), source=Path("/d/motion/val.csv"))

    def line(*overrides, failed=0, opposite=None, empty_classes=0, **more):
        own = figures(failed, empty_classes=empty_classes, top1=0.5)
        return result_line(config(*overrides), val, own, own, opposite, **more)

    assert "up to 4x3 views" in line("data.sampling=pytorchvideo_uniform")
    assert "up to" not in line()
    assert ", control reverse" in line("eval.control=reverse")
    assert ", whole pictures (pad)" in line("data.fit=pad", "data.short_side=null", "eval.crops=1")
    assert "control" not in line()
    assert "whole pictures" not in line()
    assert "readable only" in line(failed=2)
    assert "readable only" not in line()
    assert "| 2 classes without a video left out" in line(empty_classes=2)
    assert "left out" not in line()
    assert "largest class 0.250" in line(largest_class=0.25)
    assert "mAP_charades 0.125" in line(charades=0.125)
    assert "opposite 0.250" in line(opposite=0.25)
    assert "opposite" not in line("eval.opposites=[]", opposite=0.25)
