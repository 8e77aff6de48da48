"""The table of kinds of pictures: every file of the folder enters its own, in words, and what is offered is there."""

from pathlib import Path

from vidtok.infer import pictures
from vidtok.infer.pictures import KINDS, WORDS, scene


def test_every_file_enters_a_kind_of_picture():
    files = {path.stem for path in Path(pictures.__file__).parent.glob("*.py")} - {"__init__", "scene"}
    assert {kind.__module__.rpartition(".")[2] for kind in KINDS.values()} == files


def test_every_kind_is_said_in_words_and_documented():
    assert set(KINDS) == set(WORDS)
    page = (Path(__file__).resolve().parents[3] / "docs" / "pictures.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []


def test_what_is_offered_is_there():
    assert {name: getattr(pictures, name) for name in pictures.__all__} == {
        "KINDS": scene.KINDS,
        "WORDS": scene.WORDS,
        "Ask": scene.Ask,
        "Point": scene.Point,
        "Scene": scene.Scene,
        "Shown": scene.Shown,
        "ask_kinds": scene.ask_kinds,
    }
