"""`vidtok fit`: what it hands to run_fit."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.fit", "run_fit")


def test_what_it_takes():
    assert usage("fit") == (
        "fit [-h] --out RUN [--encoder ENCODER] [--group COLUMN|PATTERN] [--classes FILE] [--root DIR] "
        "[--format NAME] [--seed SEED] [--folds FOLDS] [--frames FRAMES] "
        "[--probe {linear,attentive,token_learner,four_blocks}] [--finetune [{folds,once}]] [--workers WORKERS] "
        "[--backend {pyav,torchcodec,decord,frames}] [--device {auto,cpu,cuda}] [--licence NAME] [--allow-missing] "
        "DIR|LIST"
    )


def test_a_folder_alone(work):
    done("fit", "clips", "--out", "runs/mine")
    assert work.take() == {
        "source": "clips",
        "out": "runs/mine",
        "encoder": None,
        "group": None,
        "classes": None,
        "root": None,
        "format": "auto",
        "folds": None,
        "frames": None,
        "probe": "linear",
        "finetune": None,
        "workers": 0,
        "backend": "pyav",
        "device": "auto",
        "seed": 0,
        "allow_missing": False,
        "licence": None,
    }


def test_all_options(work):
    done(
        "fit",
        *("list.csv", "--out", "runs/mine", "--encoder", "vit_s", "--group", "person", "--classes", "classes.txt"),
        *("--root", "clips", "--format", "csv", "--folds", "4", "--frames", "8", "--probe", "attentive"),
        *("--finetune", "once", "--workers", "2", "--backend", "frames", "--device", "cpu", "--seed", "7"),
        *("--allow-missing", "--licence", "apache-2.0"),
    )
    assert work.take() == {
        "source": "list.csv",
        "out": "runs/mine",
        "encoder": "vit_s",
        "group": "person",
        "classes": "classes.txt",
        "root": "clips",
        "format": "csv",
        "folds": 4,
        "frames": 8,
        "probe": "attentive",
        "finetune": "once",
        "workers": 2,
        "backend": "frames",
        "device": "cpu",
        "seed": 7,
        "allow_missing": True,
        "licence": "apache-2.0",
    }


def test_fine_tuning_without_a_word_is_measured_on_every_fold(work):
    done("fit", "clips", "--out", "runs/mine", "--finetune")
    assert work.take()["finetune"] == "folds"


def test_what_cannot_be_is_told(work):
    assert refused("fit", "clips") == "the following arguments are required: --out"
    assert "invalid choice: 'twice'" in refused("fit", "clips", "--out", "runs/mine", "--finetune", "twice")
    assert work.calls == []
    assert told_as(work, "allow_missing", "fit", "clips", "--out", "runs/mine") == "--allow-missing"
