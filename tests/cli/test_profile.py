"""`vidtok profile`: what it hands to run_profile."""

import pytest

from tests.cli.handed import done, hand_to, refused, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.profile", "run_profile")


def test_what_it_takes():
    assert usage("profile") == "profile [-h] --cfg CFG [--steps STEPS] [--out OUT] [key.sub=value ...]"
    assert refused("profile") == "the following arguments are required: --cfg"


def test_what_is_handed_on(work):
    done("profile", "--cfg", "mine.yaml")
    assert work.take() == {"cfg": "mine.yaml", "overrides": [], "steps": 20, "out": None}
    done("profile", "train.lr=1", "--cfg", "mine.yaml", "--steps", "5", "--out", "here", "run.seed=2")
    assert work.take() == {"cfg": "mine.yaml", "overrides": ["train.lr=1", "run.seed=2"], "steps": 5, "out": "here"}
