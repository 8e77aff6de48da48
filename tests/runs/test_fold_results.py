"""What the folds found, put together."""

import csv
import json

import numpy as np
import pytest

from vidtok.config_io import load_config
from vidtok.data.folds import FoldTable
from vidtok.runs.fold_results import finish, sorted_wrong
from vidtok.runs.parts import PartRun

CLASSES = ["a", "b"]
SCORES = {  # by fold: video, scores, label
    "1": [("1.mp4", [0.9, 0.1], 0), ("2.mp4", [0.8, 0.2], 1)],
    "2": [("3.mp4", [0.3, 0.7], 1), ("4.mp4", [0.4, 0.6], 0)],
    "10": [("5.mp4", [0.2, 0.8], 1), ("6.mp4", [0.6, 0.4], 0)],
}


@pytest.fixture
def table(tmp_path) -> FoldTable:
    rows = [{"path": path, "label": CLASSES[label], "fold": fold} for fold in SCORES for path, _, label in SCORES[fold]]
    return FoldTable(source=tmp_path / "labels.csv", rows=tuple(rows), classes=tuple(CLASSES))


def part(folder, fold: str, *, failed: int = 0) -> PartRun:
    own = SCORES[fold]
    config = load_config("configs/motion_vivit_tl8.yaml", [f"run.dir={folder}"])
    one = PartRun(name=folder.name, config=config, lists={})
    one.results.parent.mkdir(parents=True)
    top1 = sum(int(np.argmax(scores)) == label for _, scores, label in own) / len(own)
    figures = {"n": len(own), "failed": failed, "damaged": 0, "top1": top1}
    one.results.write_text(json.dumps({"figures": figures, "single_view": {**figures, "top1": 0.5}}))
    np.savez(
        folder / "test" / "predictions.npz",
        classes=np.array(CLASSES),
        scores=np.array([scores for _, scores, _ in own]),
        labels=np.eye(2, dtype=bool)[[label for *_, label in own]],
        video=np.array([video for video, *_ in own]),
    )
    return one


def finished(tmp_path, table, folds, *, seeds=(0,), failed=0, allow_missing=False):
    parts = [part(tmp_path / f"seed_{seed}" / f"fold_{fold}", fold, failed=failed) for seed in seeds for fold in folds]
    status = finish(parts, table, seeds, tmp_path, folds=folds, allow_missing=allow_missing)
    return status, json.loads((tmp_path / "results.json").read_text())


def test_the_mean_and_its_spread_over_the_folds(tmp_path, table, capsys):
    status, results = finished(tmp_path, table, ["1", "2", "10"])
    said = capsys.readouterr().out.splitlines()
    assert status == 0
    assert results["folds"] == {"1": 0.5, "2": 0.5, "10": 1.0}
    assert results["mean"] == pytest.approx(2 / 3)
    assert results["spread"] == pytest.approx(0.288675, abs=1e-6)  # divisor n - 1
    assert results["line"] == said[-1] == "mean top1 0.67 ± 0.29 over 3 folds"
    assert [row["single_view"] for row in results["runs"]] == [0.5] * 3
    assert said[:5] == [
        *("fold   seed 0   videos", "   1    0.500        2", "   2    0.500        2", "  10    1.000        2"),
        "mean    0.667        6",
    ]
    assert not any("--folds" in line for line in said)


def test_some_folds_of_several_seeds(tmp_path, table, capsys):
    status, results = finished(tmp_path, table, ["1", "10"], seeds=(3, 5), failed=1)
    said = capsys.readouterr().out
    assert status == 1
    assert results["failed"] == 4
    assert results["line"] == "mean top1 0.75 ± 0.35 over 2 of 3 folds and 2 seeds"
    assert results["seeds"] == {"3": 0.75, "5": 0.75}
    assert "4 videos could not be decoded and count as wrong" in said
    assert "goes on with folds 2\n" in said
    assert [(row["fold"], row["seed"]) for row in results["runs"]] == [("1", 3), ("10", 3), ("1", 5), ("10", 5)]


def test_one_fold_has_no_spread_and_failures_may_be_allowed(tmp_path, table):
    status, results = finished(tmp_path, table, ["2"], failed=1, allow_missing=True)
    assert status == 0
    assert results["spread"] is None
    assert results["line"] == "mean top1 0.50 over 1 of 3 folds"


def test_all_predictions_stand_together_the_surest_mistakes_first(tmp_path, table):
    finished(tmp_path, table, ["1", "2", "10"])
    with open(tmp_path / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows] == ["2.mp4", "4.mp4", "1.mp4", "3.mp4", "5.mp4", "6.mp4"]
    assert rows[0] == {
        "seed": "0",
        "fold": "1",
        "video": "2.mp4",
        "label": "b",
        "correct": "0",
        "class_1": "a",
        "score_1": "0.800000",
    }
    with open(tmp_path / "confusion.csv", newline="") as file:
        assert [row[1:3] for row in csv.reader(file)][1:] == [["2", "1"], ["1", "2"]]
    assert (tmp_path / "confusion.png").is_file()


def test_right_ones_keep_their_order():
    lines = [[0, "1", "x", "a", 1, "a", "0.2"], [0, "1", "y", "a", 1, "a", "0.9"], [0, "1", "z", "a", 0, "b", "0.1"]]
    assert [line[2] for line in sorted_wrong(lines)] == ["z", "x", "y"]


def test_what_is_said_of_spread_failures_and_files(tmp_path, table, capsys):
    _, results = finished(tmp_path, table, ["1", "10"], seeds=(3, 5))
    said = capsys.readouterr().out
    assert results["spread_is"] == "standard deviation over the folds (divisor n - 1) of the mean over the seeds"
    assert f"{tmp_path / 'results.json'} | ± is the {results['spread_is']}" in said
    assert "could not be decoded" not in said
    assert (results["figure"], results["list"]) == ("top1", str(table.source))
    assert "predictions.csv (2 of 8 wrong, those first), classes.csv beside it" in said
    assert f"vidtok visualize --checkpoint {tmp_path / 'seed_3' / 'fold_1'} VIDEO" in said
    assert results["runs"][0]["folder"] == str(tmp_path / "seed_3" / "fold_1")


def test_tests_without_predictions_have_no_pool(tmp_path, table, capsys):
    parts = [part(tmp_path / f"fold_{fold}", fold) for fold in ("1", "2")]
    (tmp_path / "fold_2" / "test" / "predictions.npz").unlink()
    finish(parts, table, (0,), tmp_path, folds=["1", "2"], allow_missing=False)
    assert "predictions:" not in capsys.readouterr().out
    assert not (tmp_path / "predictions.csv").exists()
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["spread_is"] == "standard deviation over the folds (divisor n - 1)"
