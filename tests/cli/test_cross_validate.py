"""`vidtok cross-validate`: what it hands to run_cross_validate, whose status is its own."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.cross_validate", "run_cross_validate", gives=0)


def test_what_it_takes():
    assert usage("cross_validate") == (
        "cross-validate [-h] --cfg CFG [--init motion|scratch|WEIGHTS] [--seeds 0,1,2] [--folds 0,1] [--jobs JOBS] "
        "[--start-clips START_CLIPS] [--allow-missing] [key.sub=value ...]"
    )
    said = done("cross_validate", "--help")
    assert "folds to train at a time (default: 1)" in said
    assert "trains on (default: 6400)" in said


def test_a_config_alone(work):
    done("cross_validate", "--cfg", "mine.yaml")
    assert work.take() == {
        "cfg": "mine.yaml",
        "overrides": [],
        "init": None,
        "seeds": None,
        "folds": None,
        "jobs": 1,
        "start_clips": 6400,
        "allow_missing": False,
    }


def test_all_options_between_changes_of_the_config(work):
    done(
        "cross_validate",
        *("data.root=clips", "--cfg", "mine.yaml", "--init", "motion", "--seeds", "0,1", "train.lr=1e-3"),
        *("--folds", "2,3", "--jobs", "4", "--start-clips", "64", "--allow-missing", "run.dir=out"),
    )
    assert work.take() == {
        "cfg": "mine.yaml",
        "overrides": ["data.root=clips", "train.lr=1e-3", "run.dir=out"],
        "init": "motion",
        "seeds": "0,1",
        "folds": "2,3",
        "jobs": 4,
        "start_clips": 64,
        "allow_missing": True,
    }


def test_its_status(work):
    work.gives = 130
    assert ended("cross_validate", "--cfg", "mine.yaml").returncode == 130
    assert refused("cross_validate") == "the following arguments are required: --cfg"
