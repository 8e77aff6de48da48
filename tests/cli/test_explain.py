"""`vidtok explain`: which word is a video and which a change of the config, and what it hands to run_explain."""

import pytest

from tests.cli.handed import done, hand_to, refused, usage


@pytest.fixture
def work(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return hand_to(monkeypatch, "vidtok.runs.explain", "run_explain")


def test_what_it_takes():
    assert usage("explain") == "explain [-h] [--train] [--out OUT] CFG [VIDEO | key.sub=value ...]"


def test_a_config_alone(work):
    done("explain", "mine.yaml")
    assert work.take() == {
        "cfg": "mine.yaml",
        "video": None,
        "overrides": [],
        "training": False,
        "out": "explain.png",
    }


def test_a_video_among_changes_of_the_config(work):
    done("explain", "mine.yaml", "data.stride=4", "--train", "a.mp4", "eval.clips=2", "--out", "sheet.png")
    assert work.take() == {
        "cfg": "mine.yaml",
        "video": "a.mp4",
        "overrides": ["data.stride=4", "eval.clips=2"],
        "training": True,
        "out": "sheet.png",
    }


def test_a_file_whose_name_looks_like_a_change_is_a_video(work, tmp_path):
    (tmp_path / "data.take=2.mp4").touch()
    done("explain", "mine.yaml", "data.take=2.mp4", "data.take=3.mp4")
    told = work.take()
    assert (told["video"], told["overrides"]) == ("data.take=2.mp4", ["data.take=3.mp4"])
    done("explain", "mine.yaml", "2=1.mp4", "data.x=1")
    told = work.take()
    assert (told["video"], told["overrides"]) == ("2=1.mp4", ["data.x=1"]), "keys begin with a letter"


def test_what_cannot_be_is_told(work):
    assert refused("explain", "mine.yaml", "a.mp4", "b.mp4", "c=1") == "one video at a time, got 2: a.mp4, b.mp4"
    for words in (["--train"], ["--out", "sheet.png"]):
        assert refused("explain", "mine.yaml", "c=1", *words) == (
            "--train and --out are for the sheet of a video: name one behind the config"
        )
    assert work.calls == []
