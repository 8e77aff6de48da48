"""`vidtok test`: what it hands to run_test, and its exit status."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.infer.evaluate import Figures


def figures(*, failed: int) -> Figures:
    return Figures(n=4, failed=failed, values={"top1": 0.5}, readable={"top1": 0.5})


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.test", "run_test", gives=figures(failed=0))


def test_what_it_takes():
    assert usage("test") == (
        "test [-h] [--cfg CFG] --checkpoint CHECKPOINT [--list LIST|FOLDER] [--out OUT] [--allow-missing] "
        "[--allow-plugins] [key.sub=value ...]"
    )
    assert refused("test") == "the following arguments are required: --checkpoint"


def test_a_run_alone(work):
    done("test", "--checkpoint", "runs/mine")
    assert work.take() == {
        "checkpoint": "runs/mine",
        "overrides": [],
        "cfg": None,
        "videos": None,
        "out": None,
        "allow_plugins": False,
    }


def test_all_options_between_changes_of_the_config(work):
    done(
        "test",
        *("eval.clips=2", "--checkpoint", "runs/mine", "--cfg", "mine.yaml", "--list", "list.csv", "eval.crops=3"),
        *("--out", "figures", "--allow-plugins", "run.seed=1"),
    )
    assert work.take() == {
        "checkpoint": "runs/mine",
        "overrides": ["eval.clips=2", "eval.crops=3", "run.seed=1"],
        "cfg": "mine.yaml",
        "videos": "list.csv",
        "out": "figures",
        "allow_plugins": True,
    }


def test_failed_videos_are_its_status_unless_they_may_be(work):
    words = ("--checkpoint", "runs/mine")
    assert ended("test", *words, "--allow-missing").returncode == 0
    work.gives = figures(failed=1)
    assert ended("test", *words).returncode == 1
    assert ended("test", *words, "--allow-missing").returncode == 0


def test_errors_name_options(work):
    assert told_as(work, "allow_plugins", "test", "--checkpoint", "runs/mine") == "--allow-plugins"
