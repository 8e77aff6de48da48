"""`vidtok report`: what it hands to run_report, and that it says where the page is."""

from pathlib import Path

import pytest

from tests.cli.handed import done, hand_to, refused, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.run_report", "run_report", gives=Path("runs/mine/report.html"))


def test_what_it_takes():
    assert usage("report") == "report [-h] run"


def test_the_page_is_named(work):
    assert done("report", "runs/mine") == "runs/mine/report.html\n"
    assert work.take() == {"run": "runs/mine"}
    assert refused("report") == "the following arguments are required: run"
