"""`vidtok models`: the table of all models, or the parts of one."""

import pytest

from tests.cli.handed import done, ended, hand_to, refused, usage


@pytest.fixture
def table(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.models", "run_models", gives=0)


@pytest.fixture
def parts(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.models", "parts_table", gives="| part | parameters |")


def test_what_it_takes():
    assert usage("models") == "models [-h] [--model NAME] [--depth DEPTH] [--check FILE | --write FILE] [pattern]"
    assert "levels of parts to print, with --model (default: 3)" in done("models", "--help")


def test_the_table(table, parts):
    done("models")
    assert table.take() == {"pattern": "*", "check_file": None, "write": None}
    done("models", "stvit*", "--check", "docs/models.md")
    assert table.take() == {"pattern": "stvit*", "check_file": "docs/models.md", "write": None}
    done("models", "--write", "docs/models.md")
    assert table.take() == {"pattern": "*", "check_file": None, "write": "docs/models.md"}
    assert parts.calls == []


def test_the_status_of_the_table(table):
    table.gives = 1
    assert ended("models", "--check", "docs/models.md").returncode == 1
    assert "not allowed with argument" in refused("models", "--check", "a.md", "--write", "a.md")


def test_the_parts_of_one_model(table, parts):
    assert done("models", "--model", "vivit_b") == "| part | parameters |\n"
    assert parts.take() == {"name": "vivit_b", "depth": 3}
    done("models", "--model", "vivit_b", "--depth", "1")
    assert parts.take() == {"name": "vivit_b", "depth": 1}
    assert table.calls == []


def test_nothing_that_was_asked_for_is_left_undone(table, parts):
    for more in (["stvit*"], ["--check", "a.md"], ["--write", "a.md"]):
        assert "PATTERN, --check and --write are of the table of all" in refused("models", "--model", "vivit_b", *more)
    assert "name it with --model" in refused("models", "--depth", "2")
    assert table.calls == parts.calls == []
