"""The testing tool: its line, its files, its exit status, and the same figures on any number of processes."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import called, small_run, together
from tests.defaults import function_defaults
from tests.ranks import command, run_ranks
from tests.runs.commands import asks_for_the_defaults
from tests.viz.reading import read_page
from vidtok.cli import test as test_tool
from vidtok.config_io import load_config
from vidtok.errors import ConfigError, ModelError
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs import progress
from vidtok.runs.test import open_checkpoint, results_folder, run_test


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def trained(motion, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    done = called("train", *small_run(motion, run), "eval.after_train=true", "eval.clips=2", "eval.crops=3")
    assert done.returncode == 0, done.stderr
    return run, done.stdout


def test_training_ends_with_a_test(trained):
    run, said = trained
    line = said.splitlines()[-1]
    assert "val n=17 failed=0 | 2x3 views, mean logits | top1 " in line
    assert "1 view top1 " in line
    assert "| largest class 0.176" in line  # 3 of 17: class 0
    told = [text for text in said.splitlines() if text.startswith("24 training videos | by the testing views top1 ")]
    assert len(told) == 1
    results = json.loads((run / "test" / "results.json").read_text())
    assert results["line"] == line
    assert results["backend"] == "pyav"
    assert len(results["list_sha256"]) == 64


def test_the_checkpoint_alone_is_enough(trained, tmp_path):
    run, said = trained
    done = called("test", "--checkpoint", run, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == said.splitlines()[-1]
    rows = rows_of(tmp_path / "predictions.csv")
    assert len(rows) == 17
    assert rows[0]["video"] == "val/00000.mp4"
    best = [row["class_1"] == row["label"] for row in rows]
    results = json.loads((tmp_path / "results.json").read_text())
    assert sum(best) / 17 == pytest.approx(results["figures"]["top1"])
    scores = [float(rows[0][f"score_{k}"]) for k in range(1, 6)]
    assert scores == sorted(scores, reverse=True)


def test_figures_and_predictions_are_the_same_from_run_to_run(trained, tmp_path):
    """By training's own test, by one in this process, and by one in another."""
    run, said = trained
    assert called("test", "--checkpoint", run, "--out", tmp_path / "here").returncode == 0
    done = together("test", "--checkpoint", run, "--out", tmp_path / "there", processes=1)
    assert done.stdout.splitlines()[-1] == said.splitlines()[-1]
    for name in ("predictions.csv", "predictions.npz", "classes.csv", "confusion.csv", "confusion.png"):
        (first, *others) = [
            (folder / name).read_bytes() for folder in (run / "test", tmp_path / "here", tmp_path / "there")
        ]
        assert others == [first, first], name
    assert (tmp_path / "here" / "results.json").read_bytes() == (tmp_path / "there" / "results.json").read_bytes()
    own = json.loads((run / "test" / "results.json").read_text())
    again = json.loads((tmp_path / "here" / "results.json").read_text())
    assert own["detail"] == again["detail"]
    assert own["detail"]["figures"]["top1"]["low"] is not None


def peak_of_a_test(words: list[str]) -> int:
    status = command("test", words)
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert peak is not None
    print(f"peak {peak[1]} kB")
    return status


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process stands in /proc")
def test_memory_does_not_grow_with_the_number_of_videos(motion, trained, tmp_path):
    """Of 200 videos against 10: a video's views are 12 x 8 pictures of 32 x 32 pixels, 0.3 MB.

    What grows is what the figures are made of: 12 rows of 8 logits for each video, and draws of the bootstrap.
    """
    run, _ = trained
    peaks = {}
    for count in (10, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        for row in range(count):
            os.link(motion / "val" / f"{row % 17:05d}.mp4", folder / f"{row}.mp4")
        (tmp_path / f"{count}.csv").write_text("".join(f"{folder}/{row}.mp4 {row % 8}\n" for row in range(count)))
        words = ["--checkpoint", str(run), "--list", str(tmp_path / f"{count}.csv"), "--out", str(folder / "out")]
        words += ["eval.clips=4", "eval.crops=3", "eval.batch=1", "data.workers=0"]
        done = run_ranks(peak_of_a_test, words, processes=1)
        assert done.returncode == 0, done.stderr
        assert f" n={count} failed=0 " in done.stdout
        peaks[count] = int(done.stdout.rsplit("peak ", 1)[1].split()[0])
    one = 12 * 8 * 3 * 32 * 32 / 1024
    assert peaks[200] - peaks[10] < 190 * one / 4, peaks


def test_the_form_of_the_lists_is_said(trained, motion):
    _, said = trained
    words = [f"{motion / name}.csv: {n} records, read as paths" for name, n in (("train", 24), ("val", 17))]
    assert all(each in said for each in words)


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_any_number_of_processes_gives_the_same(trained, tmp_path, processes):
    run, _ = trained
    same = ["eval.batch=1", "eval.protocol=scenic_4x3"]
    alone = called("test", "--checkpoint", run, "--out", tmp_path / "1", *same)
    many = together("test", "--checkpoint", run, "--out", tmp_path / "n", *same, processes=processes)
    assert (alone.returncode, many.returncode) == (0, 0), many.stderr
    assert (tmp_path / "1" / "predictions.csv").read_text() == (tmp_path / "n" / "predictions.csv").read_text()
    assert alone.stdout.splitlines()[-1] == many.stdout.splitlines()[-1]
    assert many.stdout.count("val.csv: 17 records, read as paths") == 1, "by one of them"
    # All figures of the protocol, of each class, their intervals, the calibration and the mistakes.
    alike = [json.loads((tmp_path / name / "results.json").read_text()) for name in "1n"]
    assert alike[0]["detail"] == alike[1]["detail"]
    assert {"top1", "top5", "mean_class_accuracy", "macro_f1"} <= alike[0]["detail"]["figures"].keys()
    assert [each["mistakes"] for each in alike] == [alike[0]["mistakes"]] * 2
    # Other batches, and other parts of them, move scores by less than a millionth.
    parted = ["eval.batch=3", "eval.max_views=4", "eval.protocol=scenic_4x3"]
    assert called("test", "--checkpoint", run, "--out", tmp_path / "b", *parted).returncode == 0
    with np.load(tmp_path / "1" / "predictions.npz") as one, np.load(tmp_path / "b" / "predictions.npz") as other:
        np.testing.assert_allclose(other["scores"], one["scores"], atol=1e-6)
        assert one["scores"].std() > 1e-3


def test_how_far_a_test_is_is_said(trained, tmp_path, monkeypatch, capsys):
    """A thousand videos with thirty views each take an hour."""
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINES_APART", 0.0)
    run_test(trained[0], ["eval.clips=1", "eval.crops=1", "eval.batch=5"], out=tmp_path)
    said = [line for line in capsys.readouterr().out.splitlines() if " files, 0 bad, " in line]
    assert said[-1].startswith("17 of 17 files")
    assert len(said) == 17
    run_test(trained[0], ["eval.clips=1", "eval.crops=1"], out=tmp_path / "quick")
    monkeypatch.undo()
    capsys.readouterr()
    run_test(trained[0], ["eval.clips=1", "eval.crops=1"], out=tmp_path / "quick")
    assert " files, " not in capsys.readouterr().out, "a test of seconds says its figures alone"


@pytest.mark.parametrize("aggregate", ["scores", "max"])
def test_aggregation_and_control_stand_in_the_line(trained, tmp_path, aggregate):
    run, _ = trained
    settings = [f"eval.aggregate={aggregate}", "eval.control=reverse"]
    done = called("test", "--checkpoint", run, "--out", tmp_path, *settings)
    words = {"scores": "mean scores", "max": "max score"}[aggregate]
    assert f"| 2x3 views, {words}, control reverse |" in done.stdout
    assert "| opposite " in done.stdout


def test_one_pass_gives_one_view_clips_and_all_views_by_a_protocol(trained, tmp_path):
    run, _ = trained
    done = called(
        "test", "--checkpoint", run, "--out", tmp_path / "all", "eval.protocol=scenic_4x3", "eval.report=true"
    )
    assert done.returncode == 0, done.stderr
    *table, line = done.stdout.splitlines()
    assert "| scenic_4x3: 4x3 views, mean logits |" in line
    results = json.loads((tmp_path / "all" / "results.json").read_text())
    top1 = results["detail"]["figures"]["top1"]
    assert top1["value"] == results["figures"]["top1"]
    assert top1["low"] <= top1["value"] <= top1["high"]
    assert any(text.startswith("top1 ") and f"{top1['low']:.3f} … {top1['high']:.3f}" in text for text in table)
    clips = ["eval.clips=4", "eval.crops=1", "data.sampling=scenic"]
    alone = run_test(run, clips, out=tmp_path / "clips")
    assert results["clips_only"]["top1"] == alone.values["top1"]
    assert f"| 4 clips top1 {alone.values['top1']:.3f} " in table[-1]
    reader = read_page((tmp_path / "all" / "report.html").read_text(encoding="utf-8"))
    assert {"Mistakes", "Where it looks", "Confusion"} <= set(reader.words)
    assert "Training" not in reader.words  # the log is elsewhere
    assert not (tmp_path / "clips" / "report.html").exists()


def test_failed_videos_are_counted_listed_and_decide_the_exit(motion, trained, tmp_path):
    run, _ = trained
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    good = [f"{motion / 'val' / f'{i:05d}.mp4'} {i}" for i in range(3)]
    (tmp_path / "list.csv").write_text("\n".join([good[0], "text.mp4 1", good[1], "empty.mp4 0", good[2]]) + "\n")
    arguments = ["--checkpoint", run, "--out", tmp_path / "out", f"data.val={tmp_path / 'list.csv'}"]
    done = called("test", *arguments)
    assert done.returncode == 1
    assert "n=5 failed=2" in done.stdout
    assert "readable only top1 " in done.stdout
    listed = rows_of(tmp_path / "out" / "failed.csv")
    assert [row["path"].rsplit("/", 1)[1] for row in listed] == ["text.mp4", "empty.mp4"]
    assert all(row["path"] in row["cause"] for row in listed)
    assert called("test", *arguments, "--allow-missing").returncode == 0


def test_results_land_beside_what_was_named(trained, tmp_path):
    run, said = trained
    before = (run / "test" / "results.json").read_bytes()
    copy = shutil.copytree(run, tmp_path / "copy")
    shutil.rmtree(copy / "test")
    control = run_test(copy, ["eval.control=reverse", "eval.clips=1"])
    assert not (copy / "test").exists()
    assert json.loads((copy / "test_reverse" / "results.json").read_text())["protocol"]["control"] == "reverse"
    run_test(copy / "checkpoints" / "step_00000012.pt")
    results = json.loads((copy / "test" / "results.json").read_text())
    assert results["line"] == said.splitlines()[-1]
    assert control.n == results["figures"]["n"] == 17
    for name in ("predictions.csv", "predictions.npz", "classes.csv", "confusion.csv", "confusion.png"):
        assert (copy / "test" / name).is_file()
    assert (run / "test" / "results.json").read_bytes() == before
    assert not (run / "test_reverse").exists()
    alone = shutil.copy(copy / "checkpoints" / "step_00000012.pt", tmp_path / "alone.pt")
    assert results_folder(str(alone), load_config(run / "config.yaml")) == tmp_path / "test"


def test_out_may_be_a_folder_that_is_not_there_and_not_a_file(trained, tmp_path):
    run, _ = trained
    run_test(run, ["eval.clips=1", "eval.crops=1"], out=tmp_path / "not" / "there")
    assert (tmp_path / "not" / "there" / "failed.csv").parent.is_dir()
    assert rows_of(tmp_path / "not" / "there" / "predictions.csv")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--out: .*file: cannot be made \(File exists\)"):
        run_test(run, out=tmp_path / "file")


def test_a_saved_model_is_tested_with_a_config(motion, trained, tmp_path):
    run, _ = trained
    load_model(run).save_pretrained(tmp_path / "saved")
    _, cfg, *overrides = small_run(motion, run)
    one = ["eval.clips=1", "eval.crops=1"]
    expected = run_test(run, one, out=tmp_path / "expected")
    figures = run_test(tmp_path / "saved", [*overrides, *one], cfg=cfg)
    assert figures.values == expected.values
    assert (tmp_path / "saved" / "test" / "results.json").is_file()
    with pytest.raises(
        ConfigError, match=r"saved: a saved model does not say which videos to test it on: .*--list.*--cfg"
    ):
        run_test(tmp_path / "saved")
    with pytest.raises(ConfigError, match=r"takes clips of 8 frames of 32 x 32 pixels.*frames=8 data\.size=32"):
        run_test(tmp_path / "saved", [*overrides, "data.size=40"], cfg=cfg)


def test_a_saved_model_that_knows_how_it_is_fed_needs_a_list_alone(motion, trained, tmp_path, monkeypatch, capsys):
    run, _ = trained
    model = load_model(run)
    model.save_pretrained(tmp_path / "saved")
    one = ["eval.clips=1", "eval.crops=1", "eval.report=false"]
    expected, videos = run_test(run, one, out=tmp_path / "expected"), motion / "val.csv"
    for path in (tmp_path / "saved", tmp_path / "saved" / "model.safetensors"):
        assert run_test(path, one, videos=videos, out=tmp_path / "out").values == expected.values
    seen, told = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("out", "expected"))
    assert seen["list_sha256"] == told["list_sha256"]
    capsys.readouterr()
    (tmp_path / "three.csv").write_text("".join(f"{motion}/val/{i:05d}.mp4 {i}\n" for i in range(3)))
    some = ["--list", str(tmp_path / "three.csv"), "--out", str(tmp_path)]
    assert test_tool.run(["--checkpoint", str(run), *some, *one]) == 0
    assert " three n=3 failed=0 | 1x1 views" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"takes clips of 8 frames of 32 x 32 pixels, but the config has 4 of 32"):
        run_test(tmp_path / "saved", ["data.frames=4"], videos=videos)

    monkeypatch.setattr(Classifier, "from_pretrained", lambda source, *, revision=None: model)
    with pytest.raises(ConfigError, match=r"someone/model: a model on the hub has no folder here .* with --out$"):
        test_tool.run(["--checkpoint", "someone/model", "--list", str(videos)])
    assert run_test("someone/model", one, videos=videos, out=tmp_path / "hub").values == expected.values
    model.feeding = None
    with pytest.raises(ModelError, match=r"how clips are taken from videos is not known .* with `cfg`"):
        run_test("someone/model", one, videos=videos, out=tmp_path / "hub")


def test_a_missing_checkpoint_is_told(tmp_path):
    done = called("test", "--cfg", "configs/motion_vivit_tl8.yaml", "--checkpoint", tmp_path / "none.pt")
    assert done.returncode == 2
    assert "none.pt: no such checkpoint file" in done.stderr


def test_a_checkpoint_of_another_model_is_told(motion, trained):
    run, _ = trained
    arguments = [*small_run(motion, run), "model.width=48"]
    done = called("test", "--checkpoint", run, *arguments)
    assert done.returncode == 2
    assert "belongs to another model" in done.stderr
    assert "in the file" in done.stderr
    assert len(done.stderr.splitlines()) < 25


def test_other_classes_than_the_checkpoint_s_are_told(motion, trained, tmp_path):
    run, _ = trained
    (tmp_path / "classes.txt").write_text("\n".join("abcdefgh") + "\n")
    done = called("test", "--checkpoint", run, *small_run(motion, run), f"data.classes={tmp_path / 'classes.txt'}")
    assert done.returncode == 2
    assert "trained for 8 classes" in done.stderr


def test_weights_alone_start_another_run(motion, trained, tmp_path):
    run, _ = trained
    source = run / "checkpoints" / "step_00000012.pt"
    done = called(
        "train", *small_run(motion, tmp_path / "run"), f"train.init={source}", "train.steps=1", "train.lr=1e-12"
    )
    assert done.returncode == 0, done.stderr
    assert "all weights" in done.stdout
    before = torch.load(source, weights_only=True)["model"]
    after = torch.load(tmp_path / "run" / "checkpoints" / "step_00000001.pt", weights_only=True)["model"]
    assert all(torch.allclose(before[key], after[key], atol=1e-9) for key in before)


def test_the_command_asks_for_the_defaults():
    asks_for_the_defaults("test", run_test, "--checkpoint", "a")


def test_nothing_that_a_checkpoint_names_is_imported_unless_it_is_said():
    for function in (open_checkpoint, run_test):
        assert function_defaults(function)["allow_plugins"] is False
