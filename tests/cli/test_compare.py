"""`vidtok compare`: what it hands to run_compare."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.compare", "run_compare", gives=[])


def test_what_it_takes():
    assert usage("compare") == "compare [-h] [--out CSV] RUN [RUN ...]"


def test_runs_and_a_table(work):
    done("compare", "runs/a", "runs/b")
    assert work.take() == {"runs": ["runs/a", "runs/b"], "out": None}
    done("compare", "runs/a", "runs/b", "runs/c", "--out", "differ.csv")
    assert work.take() == {"runs": ["runs/a", "runs/b", "runs/c"], "out": "differ.csv"}


def test_errors_name_options(work):
    assert "RUN" in refused("compare")
    assert told_as(work, "out", "compare", "runs/a", "runs/b") == "--out"
