"""`vidtok folds`: what it hands to run_folds."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.folds", "run_folds", gives=(0, 1))


def test_what_it_takes():
    assert usage("folds") == (
        "folds [-h] --to DIR [--folds N] [--val SHARE] [--group COLUMN|PATTERN] [--classes FILE] [--root DIR] "
        "[--format NAME] [--seed SEED] DIR|LIST"
    )


def test_a_folder_alone(work):
    done("folds", "clips", "--to", "parts")
    assert work.take() == {
        "source": "clips",
        "to": "parts",
        "folds": None,
        "val": None,
        "group": None,
        "classes": None,
        "root": None,
        "format": "auto",
        "seed": 0,
    }


def test_all_options(work):
    done(
        "folds",
        *("list.csv", "--to", "parts", "--folds", "4", "--val", "0.25", "--group", r"/(s\d+)_"),
        *("--classes", "classes.txt", "--root", "clips", "--format", "csv", "--seed", "7"),
    )
    assert work.take() == {
        "source": "list.csv",
        "to": "parts",
        "folds": 4,
        "val": 0.25,
        "group": r"/(s\d+)_",
        "classes": "classes.txt",
        "root": "clips",
        "format": "csv",
        "seed": 7,
    }


def test_what_cannot_be_is_told(work):
    assert refused("folds", "clips") == "the following arguments are required: --to"
    assert told_as(work, "group", "folds", "clips", "--to", "parts") == "--group"
