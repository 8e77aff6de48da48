"""Cross-validation as a person runs it: folds, start, going on, and the last line."""

import csv
import json
import math
import re

import pytest
import torch

from tests.conftest import called, small_run
from tests.runs.commands import asks_for_the_defaults
from vidtok.cli import cross_validate
from vidtok.config_io import load_config
from vidtok.errors import CheckpointError, ConfigError, DataError
from vidtok.runs.cross_validate import find_motion, is_rendered, motion_size, run_cross_validate


@pytest.fixture(scope="module")
def people(motion):
    """labels.csv over the 24 training clips of `motion`: three folds, each with all eight classes."""
    names = (motion / "classes.txt").read_text().splitlines()
    rows = "".join(f"train/{i:05d}.mp4,{names[i % 8]},{i // 8}\n" for i in range(24))
    (motion / "labels.csv").write_text(f"path,label,fold\n{rows}")
    return motion


def arguments(people, run, *more):
    """A cross-validation that takes seconds for each fold."""
    kept = [item for item in small_run(people, run) if not item.startswith(("data.train", "data.val", "data.classes"))]
    quick = [f"data.root={people}", "train.steps=4", "data.workers=0", "eval.clips=1", "eval.crops=1"]
    return [*kept, *quick, *map(str, more)]


@pytest.fixture(scope="module")
def whole(people, tmp_path_factory):
    run = tmp_path_factory.mktemp("crossed") / "run"
    done = called("cross_validate", *arguments(people, run, "--init", "motion", "--start-clips", 8, "--jobs", 2))
    assert done.returncode == 0, done.stdout + done.stderr
    return run, done.stdout


def again(people, whole, *more):
    return arguments(people, whole[0], "--init", "motion", "--start-clips", 8, *more)


def test_the_last_line_is_the_mean_of_the_folds(whole):
    run, said = whole
    tops = []
    for fold in range(3):
        results = json.loads((run / f"fold_{fold}" / "test" / "results.json").read_text())
        assert results["figures"]["n"] == 8
        tops.append(results["figures"]["top1"])
    mean = sum(tops) / 3
    spread = math.sqrt(sum((top - mean) ** 2 for top in tops) / 2)
    assert said.splitlines()[-1] == f"mean top1 {mean:.2f} ± {spread:.2f} over 3 folds"
    content = json.loads((run / "results.json").read_text())
    assert content["mean"] == pytest.approx(mean)
    assert content["spread"] == pytest.approx(spread)
    assert content["folds"] == {str(fold): top for fold, top in enumerate(tops)}
    assert "standard deviation over the folds" in said
    for fold, top in enumerate(tops):
        assert re.search(rf"^ +{fold} +{top:.3f} +8$", said, flags=re.MULTILINE)


def test_all_folds_predictions_come_together(whole):
    run, said = whole
    rows = list(csv.DictReader((run / "predictions.csv").read_text().splitlines()))
    assert len(rows) == 24
    assert all((row["label"] == row["class_1"]) == (row["correct"] == "1") for row in rows)
    right = sum(row["correct"] == "1" for row in rows)
    assert [row["correct"] for row in rows] == ["0"] * (24 - right) + ["1"] * right  # the wrong ones first
    for fold in range(3):
        content = json.loads((run / f"fold_{fold}" / "test" / "results.json").read_text())
        own = [row for row in rows if row["fold"] == str(fold)]
        assert sum(row["correct"] == "1" for row in own) / 8 == pytest.approx(content["figures"]["top1"])
    matrix = [line.split(",")[1:] for line in (run / "confusion.csv").read_text().splitlines()[1:]]
    assert sum(int(cell) for row in matrix for cell in row) == 24
    assert sum(int(matrix[k][k]) for k in range(8)) == right
    assert (run / "confusion.png").is_file()
    assert f"{24 - right} of 24 wrong, those first" in said
    assert "next: vidtok visualize --checkpoint" in said


def test_the_motion_set_is_shared_by_runs(people, whole, capsys):
    run, said = whole
    (folder,) = run.parent.glob("motion_*")
    assert said.count("making the data set motion") == 1
    before = (folder / "train.csv").stat().st_mtime_ns
    find_motion(folder, records=8, frames=8, size=(40, 48))
    assert "making" not in capsys.readouterr().out
    assert (folder / "train.csv").stat().st_mtime_ns == before
    (folder.parent / "half" / "train").mkdir(parents=True)  # left by a kill
    find_motion(folder.parent / "half", records=8, frames=4, size=(16, 16))
    assert is_rendered(folder.parent / "half")
    assert not list(folder.parent.glob(".half.*"))


def test_some_folds_alone(people, whole, capsys):
    assert cross_validate.run(again(people, whole, "--folds", "2,0")) == 0
    said = capsys.readouterr().out
    assert said.count("done before") == 3
    assert "3 folds, of which 0, 2 now" in said
    assert re.search(r"mean top1 0\.\d\d ± 0\.\d\d over 2 of 3 folds$", said.splitlines()[-1])
    assert "without --folds goes on with folds 1" in said
    assert cross_validate.run(again(people, whole, "--folds", "1")) == 0
    assert re.search(r"mean top1 0\.\d\d over 1 of 3 folds$", capsys.readouterr().out.splitlines()[-1])
    for folds, words in (("3", "there is no fold '3'; they are 0, 1, 2"), ("1,1", "name each fold once")):
        with pytest.raises(ConfigError, match=words):
            cross_validate.run(again(people, whole, "--folds", folds))
    assert cross_validate.run(again(people, whole)) == 0


def test_a_fold_is_tested_on_videos_that_it_was_not_trained_on(whole):
    run, _ = whole
    tested = []
    for fold in range(3):
        paths = {}
        for name in ("train", "val"):
            rows = csv.DictReader((run / f"fold_{fold}" / f"{name}.csv").read_text().splitlines())
            paths[name] = {row["path"] for row in rows}
        assert (len(paths["train"]), len(paths["val"])) == (16, 8)
        assert not paths["train"] & paths["val"]
        predictions = (run / f"fold_{fold}" / "test" / "predictions.csv").read_text().splitlines()
        seen = {row["video"] for row in csv.DictReader(predictions)}
        assert seen == paths["val"]
        tested += seen
    assert len(set(tested)) == 24


def test_every_fold_starts_from_the_start(whole):
    run, said = whole
    assert "seed 0, start | motion, 80 videos | top1" in said
    for fold in range(3):
        assert f"initial weights of {run / 'start'}" in (run / f"fold_{fold}" / "output.txt").read_text()
    start = torch.load(run / "start" / "checkpoints" / "step_00000002.pt", weights_only=True)
    assert len(start["classes"]) == 8


def test_what_is_finished_is_not_run_again(people, whole, capsys):
    before = {path: path.stat().st_mtime_ns for path in whole[0].rglob("output.txt")}
    assert len(before) == 4
    assert cross_validate.run(again(people, whole)) == 0
    said = capsys.readouterr().out
    assert said.count("done before") == 4
    assert said.splitlines()[-1] == whole[1].splitlines()[-1]
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_changed_config_or_table_is_refused(people, whole, capsys):
    with pytest.raises(CheckpointError, match=r"fold_0: this run was started with another .*\n  train\.lr: 0\.5 \| 0"):
        cross_validate.run(again(people, whole, "train.lr=0.5"))
    with pytest.raises(CheckpointError, match=r"train\.init: not set|train\.init: None"):
        cross_validate.run(arguments(people, whole[0], "--init", "scratch"))
    table = people / "labels.csv"
    before = table.read_text()
    try:
        table.write_text(before.replace("00001.mp4,left,0", "00001.mp4,left,1"))
        with pytest.raises(DataError, match=r"fold_0/train\.csv: the table of folds has changed"):
            cross_validate.run(again(people, whole))
    finally:
        table.write_text(before)
    assert cross_validate.run(again(people, whole)) == 0
    assert capsys.readouterr().out.count("done before") == 4


def test_pairs_across_folds_are_refused_before_anything_runs(people, tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    (folder / "labels.csv").write_text("path,label,fold,mirrored\na.mp4,x,0,0\na_m.mp4,x,1,1\nb.mp4,y,0,0\n")
    with pytest.raises(DataError, match="mirrored copies stay with their originals"):
        cross_validate.run(arguments(folder, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seeds", "0,0"], "--seeds 0,0: write different whole numbers"),
        (["--seeds", "a"], "--seeds a: write"),
        (["--jobs", "0"], "--jobs 0: it counts from 1"),
        (["data.root=null"], "data.root: cross-validation needs the folder that holds labels.csv"),
    ],
)
def test_wrong_arguments_are_told(people, tmp_path, more, words):
    with pytest.raises(ConfigError, match=words):
        cross_validate.run(arguments(people, tmp_path / "run", *more))


@pytest.mark.slow
def test_seeds_have_folders_of_their_own_and_one_last_line(people, tmp_path):
    run = tmp_path / "run"
    done = called("cross_validate", *arguments(people, run, "--init", "scratch", "--seeds", "0,1", "--jobs", 2))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"mean top1 0\.\d\d ± 0\.\d\d over 3 folds and 2 seeds", done.stdout.splitlines()[-1])
    content = json.loads((run / "results.json").read_text())
    tops = {(row["seed"], row["fold"]): row["top1"] for row in content["runs"]}
    assert len(tops) == 6
    assert content["mean"] == pytest.approx(sum(tops.values()) / 6)
    assert content["seeds"]["1"] == pytest.approx(sum(top for (seed, _), top in tops.items() if seed == 1) / 3)
    weights = [
        torch.load(run / f"seed_{seed}" / "fold_0" / "checkpoints" / "step_00000004.pt", weights_only=True)["model"]
        for seed in (0, 1)
    ]
    assert any(not torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("cross_validate", run_cross_validate, "--cfg", "a")


@pytest.mark.parametrize(("short", "size"), [(32, (32, 38)), (33, (34, 40)), (64, (64, 76)), (100, (100, 120))])
def test_clips_of_motion_are_even_and_about_a_fifth_wider(short, size):
    config = load_config("configs/motion_vivit_tl8.yaml", [f"data.short_side={short}", "data.size=32"])
    assert motion_size(config) == size
