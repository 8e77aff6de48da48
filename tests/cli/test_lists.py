"""`vidtok lists`: what it hands to run_lists, which options a form gets, and its exit status."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, told_as, usage
from vidtok.choices import LIST_FORMS


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.lists", "run_lists", gives=0)


def test_what_it_takes():
    assert usage("lists") == (
        "lists [-h] --to OUT.csv [--format NAME] [--root DIR] [--classes FILE] [--part {train,val}] "
        "[--none {class,drop}] [--untrimmed] [--fps FPS] [--template NAME] [--label NAME] [--subset NAME] "
        "[--allow-missing] IN"
    )


def test_help_says_every_form():
    said = done("lists", "--help").split("forms:\n")[1].split("\n\n")[0]
    assert said.splitlines() == [f"  {name:<18}{words}" for name, words in LIST_FORMS.items()]


def test_a_list_alone(work):
    done("lists", "list.csv", "--to", "own.csv")
    assert work.take() == {
        "source": "list.csv",
        "to": "own.csv",
        "format": "auto",
        "root": None,
        "classes": None,
        "part": "train",
        "options": {},
    }


def test_all_options(work):
    done(
        "lists",
        *("list.json", "--to", "own.csv", "--format", "avid", "--root", "clips", "--classes", "classes.txt"),
        *("--part", "val", "--none", "drop", "--untrimmed", "--fps", "0", "--template", "img_{:05}.jpg"),
        *("--label", "noun", "--subset", "training"),
    )
    assert work.take() == {
        "source": "list.json",
        "to": "own.csv",
        "format": "avid",
        "root": "clips",
        "classes": "classes.txt",
        "part": "val",
        "options": {
            "none": "drop",
            "untrimmed": True,
            "fps": 0.0,  # which a form refuses: it is not as if none were given
            "template": "img_{:05}.jpg",
            "label": "noun",
            "subset": "training",
        },
    }
    done("lists", "list.json", "--to", "own.csv", "--none", "class")
    assert work.take()["options"] == {"none": "class"}


def test_missing_videos_are_its_status_unless_they_may_be(work):
    words = ("list.csv", "--to", "own.csv")
    assert ended("lists", *words, "--allow-missing").returncode == 0
    work.gives = 2
    assert ended("lists", *words).returncode == 1
    assert ended("lists", *words, "--allow-missing").returncode == 0


def test_errors_name_options(work):
    assert refused("lists", "list.csv") == "the following arguments are required: --to"
    assert told_as(work, "template", "lists", "list.csv", "--to", "own.csv") == "--template"
