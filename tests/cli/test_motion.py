"""`vidtok motion`: what it hands to run_motion."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.motion", "run_motion")


def test_what_it_takes():
    assert usage("motion") == "motion [-h] [--train TRAIN] [--val VAL] [--seed SEED] folder"


def test_what_is_handed_on(work):
    done("motion", "clips")
    assert work.take() == {"folder": "clips", "train": 3000, "val": 400, "seed": 0}
    done("motion", "clips", "--train", "24", "--val", "8", "--seed", "5")
    assert work.take() == {"folder": "clips", "train": 24, "val": 8, "seed": 5}
    assert refused("motion") == "the following arguments are required: folder"


@pytest.mark.parametrize(("option", "value", "least"), [("--train", "0", 1), ("--val", "-5", 1), ("--seed", "-1", 0)])
def test_numbers_that_cannot_be_are_refused_by_option(tmp_path, option, value, least):
    found = ended("motion", str(tmp_path / "clips"), option, value)
    assert found.returncode == 2
    assert f"{option} counts from {least}, got {value}" in found.stderr
    assert not (tmp_path / "clips").exists()
