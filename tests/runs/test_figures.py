"""The table of figures, what belongs together, and where mistakes are found again."""

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.data.lists import Records
from vidtok.errors import DataError
from vidtok.infer.evaluate import Predictions
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.runs.figures import detail_of, figure_lines, groups_of, mistake_rows
from vidtok.runs.test import run_test
from vidtok.types import Failure

VIDEOS = Path(os.environ.get("VIDTOK_VIDEOS", ""))
NAMES = ["p1_a.mp4", "p1_b.mp4", "p2_a.mp4", "p2_b.mp4"]


def config(*overrides):
    return load_config(ROOT / "configs/motion_vivit_tl8.yaml", overrides)


def records():
    return Records(NAMES, [[0], [1], [1], [0]], root=Path("/v"), source=Path("/v/val.csv"))


def predictions():
    """The third one failed; the second is taken for a."""
    return Predictions(
        indices=(0, 1, 3),
        video_ids=("p1_a.mp4", "p1_b.mp4", "p2_b.mp4"),
        labels=((0,), (1,), (0,)),
        logits=torch.tensor([[[2.0, 0.0]], [[3.0, 0.0]], [[1.0, 0.0]]]),
        failures=(Failure(index=2, path=Path("/v/p2_a.mp4"), cause="broken", key="p2_a.mp4"),),
    )


def test_the_table():
    found = predictions()
    scores = found.scores("logits", kind="softmax")
    detail = detail_of(found, scores, records(), "wxyz", kind="softmax")
    lines = figure_lines(detail, {"1 view": {"top1": 0.25}, "2x3 views": {"top1": 0.5}}, grouped=True)
    assert lines[0] == "figure                value   95% interval, 1000 draws of 4 groups"
    assert [line[:27].rsplit(maxsplit=1) for line in lines[1:5]] == [
        ["top1", "0.500"], ["mean class accuracy", "0.500"], ["macro F1", "0.400"], ["calibration error", "0.447"]
    ]  # fmt: skip
    assert lines[1][27:].strip().split(" … ")[0] < "0.500" < lines[1][27:].strip().split(" … ")[1]
    assert lines[5] == "by views: 1 view top1 0.250 | 2x3 views top1 0.500"
    nothing = detail_of(replace(found, indices=(), video_ids=(), labels=(), logits=torch.empty(0, 1, 2), failures=()),
                        torch.empty(0, 2), records(), "wxyz", kind="softmax")  # fmt: skip
    assert figure_lines(nothing, {}, grouped=False) == []


def test_what_belongs_together():
    assert groups_of(config(), records()) == [f"/v/{name}" for name in NAMES]
    assert groups_of(config(r"eval.group='(p\d)_'"), records()) == ["p1", "p1", "p2", "p2"]
    with pytest.raises(DataError, match=r"pattern has one pair of brackets"):
        groups_of(config("eval.group=(a)(b)"), records())
    detail = detail_of(predictions(), torch.eye(2)[[0, 0, 0]], records(), ["p1", "p1", "p2", "p2"], kind="softmax")
    assert (detail.units, detail.rows) == (2, 4)


def test_mistakes_are_found_again():
    found = predictions()
    scores = found.scores("logits", kind="softmax")
    detail = detail_of(found, scores, records(), "wxyz", kind="softmax")
    (row,) = mistake_rows(detail, found, records(), ["a", "b"])
    assert row["score"] == pytest.approx(0.95257, abs=1e-5)
    del row["score"]
    assert row == {
        "video": "p1_b.mp4", "path": "/v/p1_b.mp4", "start_seconds": None, "end_seconds": None, "fps": None,
        "labels": ["b"], "taken_for": "a",
    }  # fmt: skip


def plain_precision(rows):
    """Average precision of (score, has) rows by their distinct scores."""
    total, recall, positives = 0.0, 0.0, sum(has for _, has in rows)
    for threshold in sorted({score for score, _ in rows}, reverse=True):
        found = [has for score, has in rows if score >= threshold]
        total += (sum(found) / positives - recall) * sum(found) / len(found)
        recall = sum(found) / positives
    return total


def plain_charades(rows):
    """As Charades' script goes down its list; `rows` have (score, has, whether the video has any label)."""
    order = sorted(range(len(rows)), key=lambda row: -rows[row][0] if rows[row][2] else math.inf)
    found, total = 0, 0.0
    for place, row in enumerate(order, start=1):
        if rows[row][1]:
            found += 1
            total += found / place
    return total / found


@pytest.mark.skipif(not (VIDEOS / "weizmann4").is_dir(), reason="VIDTOK_VIDEOS has no weizmann4")
def test_both_maps_of_real_clips_in_the_form_of_charades(tmp_path):
    """Charades' own CSV with a video of no action and one that cannot be read, by its protocol, and a network that
    guesses: each mAP by loops over the scores that are kept."""
    clips = sorted((VIDEOS / "weizmann4").rglob("*.mp4"))[:9]
    lines = ["id,subject,actions"]
    for number, clip in enumerate(clips):
        shutil.copy(clip, tmp_path / f"V{number}.mp4")
        actions = [f"c{k:03d} 0.00 1.00" for k in ((number % 3, 5), (number % 2,), ())[number % 3]]
        lines.append(f"V{number},S,{';'.join(actions)}")
    (tmp_path / "V9.mp4").write_text("no video")
    lines.append("V9,S,c001 0.00 1.00")
    (tmp_path / "Charades_v1_test.csv").write_text("\n".join(lines) + "\n")
    model = create_model(
        "vivit",
        classes=[f"c{k:03d}" for k in range(157)],
        feeding=Feeding(stride=2, short_side=32, scores="sigmoid"),
        width=24,
        depth=1,
        heads=2,
        tubelet=(2, 16, 16),
        frames=2,
        size=32,
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.network.head.parameters():
            parameter.normal_(generator=generator)
    model.save_pretrained(tmp_path / "saved")
    settings = [f"data.root={tmp_path}", "data.format=charades", "data.workers=0"]
    settings += ["eval.protocol=charades_10x3", "eval.report=false"]
    run_test(tmp_path / "saved", settings, videos=tmp_path / "Charades_v1_test.csv", out=tmp_path / "out")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    with np.load(tmp_path / "out" / "predictions.npz") as arrays:
        scores = np.concatenate([arrays["scores"], np.full((1, 157), -np.inf)]).tolist()
        labels = np.concatenate([arrays["labels"], arrays["failed_labels"]])
    rows = [
        [(row[k], bool(own[k]), bool(own.any())) for row, own in zip(scores, labels, strict=True)]
        for k in np.flatnonzero(labels.any(0))
    ]
    both = {"mAP": np.mean([plain_precision([row[:2] for row in own]) for own in rows])}
    both["mAP_charades"] = np.mean([plain_charades(own) for own in rows])
    for name, value in both.items():
        assert results["detail"]["figures"][name]["value"] == pytest.approx(value, abs=1e-9)
        assert f"{name} {value:.3f}" in results["line"]
    assert both["mAP_charades"] > both["mAP"]
    assert "charades_10x3: 10x3 views, max score" in results["line"]
    assert (results["figures"]["n"], results["figures"]["failed"]) == (10, 1)
