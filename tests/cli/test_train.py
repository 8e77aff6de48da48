"""`vidtok train`: what it hands to run_train, and its exit status."""

from pathlib import Path

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.infer.evaluate import Figures
from vidtok.runs.train import Trained


def trained(*, finished: bool = True, failed: int | None = None) -> Trained:
    """`failed`: videos of the test at its end; None: there was no test."""
    values = {"top1": 0.5}
    figures = None if failed is None else Figures(n=4, failed=failed, values=values, readable=values)
    return Trained(folder=Path("runs/mine"), finished=finished, figures=figures)


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.train", "run_train", gives=trained())


def test_what_it_takes():
    assert usage("train") == (
        "train [-h] --cfg CFG [--resume [CHECKPOINT]] [--new-segment] [--allow-missing] [key.sub=value ...]"
    )
    assert refused("train") == "the following arguments are required: --cfg"


def test_a_config_alone(work):
    done("train", "--cfg", "mine.yaml")
    assert work.take() == {"cfg": "mine.yaml", "overrides": [], "resume": None, "new_segment": False}


def test_all_options_between_changes_of_the_config(work):
    done(
        "train", "train.lr=1", "--cfg", "mine.yaml", "--resume", "last.pt", "run.seed=2", "--new-segment", "data.size=9"
    )
    assert work.take() == {
        "cfg": "mine.yaml",
        "overrides": ["train.lr=1", "run.seed=2", "data.size=9"],
        "resume": "last.pt",
        "new_segment": True,
    }


def test_resume_without_a_checkpoint_insists_on_the_runs_own(work):
    done("train", "--cfg", "mine.yaml", "--resume")
    assert work.take()["resume"] == ""


@pytest.mark.parametrize(
    ("gives", "status", "status_with_leave"),
    [
        (trained(), 0, 0),
        (trained(failed=0), 0, 0),
        (trained(failed=2), 1, 0),
        (trained(finished=False), 130, 130),
        (trained(finished=False, failed=2), 130, 130),
    ],
)
def test_its_status(work, gives, status, status_with_leave):
    """A run that was asked to stop is as one that Ctrl-C ended, whatever else may be said of it."""
    work.gives = gives
    assert ended("train", "--cfg", "mine.yaml").returncode == status
    assert ended("train", "--cfg", "mine.yaml", "--allow-missing").returncode == status_with_leave


def test_errors_name_options(work):
    assert told_as(work, "new_segment", "train", "--cfg", "mine.yaml") == "--new-segment"
