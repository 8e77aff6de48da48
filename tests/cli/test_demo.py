"""`vidtok demo`: what it hands to run_demo, whose status is its own."""

import pytest

from tests.cli.handed import done, ended, hand_to, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.demo", "run_demo", gives=0)


def test_what_it_takes():
    assert usage("demo") == "demo [-h] [--out OUT] [--cfg CFG] [key.sub=value ...]"


def test_what_is_handed_on(work):
    done("demo")
    assert work.take() == {"out": "runs/demo", "cfg": "motion_vivit_tl8", "overrides": []}
    done("demo", "train.steps=3", "--out", "here", "--cfg", "mine.yaml", "run.seed=1")
    assert work.take() == {"out": "here", "cfg": "mine.yaml", "overrides": ["train.steps=3", "run.seed=1"]}


def test_its_status(work):
    work.gives = 1
    assert ended("demo").returncode == 1
