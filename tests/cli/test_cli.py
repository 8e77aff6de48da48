"""What the commands share: how each ends, the scripts' way in, the words for errors, and groups of options."""

import argparse
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from vidtok.cli import add_engine, add_overrides, add_own_clips, guarded, main, parser, told_in_options
from vidtok.errors import ConfigError, DataError


def taken(add, *words: str) -> dict[str, object]:
    """What a parser with these options alone makes of some words."""
    made = parser("some words")
    add(made)
    return vars(made.parse_args([*words]))


def usage(add, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "2000")
    made = argparse.ArgumentParser(prog="x")
    add(made)
    return made.format_usage().strip().removeprefix("usage: x [-h] ")


def test_a_command_gets_its_arguments_and_its_status_is_kept():
    got = list[list[str]]()

    def run(arguments):
        got.append(arguments)
        return 7

    assert guarded(run, ["a", "--b"]) == 7
    assert got == [["a", "--b"]]


def test_what_the_user_can_mend_is_one_message_with_status_2(capsys):
    def run(arguments):
        raise DataError(f"{arguments[0]}: no such list")

    assert guarded(run, ["list.csv"]) == 2
    assert capsys.readouterr() == ("", "error: list.csv: no such list\n")


def test_a_mistake_of_ours_keeps_its_traceback():
    def run(arguments):
        raise ValueError("not the user's")

    with pytest.raises(ValueError, match="not the user's"):
        guarded(run, [])


def test_ctrl_c_leaves_with_130(capsys):
    def run(arguments):
        raise KeyboardInterrupt

    assert guarded(run, []) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_threads_that_wait_sleep_unless_the_user_says_otherwise(monkeypatch):
    found = list[str | None]()

    def run(arguments):
        found.append(os.environ.get("OMP_WAIT_POLICY"))
        return 0

    monkeypatch.setenv("OMP_WAIT_POLICY", "x")  # so that it is put back
    monkeypatch.delenv("OMP_WAIT_POLICY")
    guarded(run, [])
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    guarded(run, [])
    assert found == ["PASSIVE", "ACTIVE"]


def test_a_name_that_the_console_cannot_hold_is_no_traceback():
    code = "from vidtok.cli import guarded\nguarded(lambda words: print('caf\\u00e9 \\udce9.mp4') or 0, [])"
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "caf\\xe9 \\udce9.mp4\n"), done.stderr


def test_a_script_runs_its_command_with_the_process_s_arguments(monkeypatch):
    got = list[list[str]]()

    class Command:
        @staticmethod
        def run(arguments):
            got.append(arguments)
            return 5

    monkeypatch.setitem(sys.modules, "vidtok.cli.somewhat", Command)
    monkeypatch.setattr(sys, "argv", ["tools/somewhat.py", "a", "--b", "c"])
    with pytest.raises(SystemExit) as end:
        main("somewhat")
    assert end.value.code == 5
    assert got == [["a", "--b", "c"]]


def test_errors_name_the_options_of_the_command():
    args = argparse.Namespace(short_side=3, out="a")
    with pytest.raises(ConfigError, match=r"^--short-side of --out is not `gop`$"), told_in_options(args):
        raise ConfigError("`short_side` of `out` is not `gop`")


def test_a_description_keeps_its_lines():
    assert "\nOne line.\n  Another line.\n" in parser("One line.\n  Another line.").format_help()


def test_changes_of_the_config(monkeypatch):
    assert usage(add_overrides, monkeypatch) == "[key.sub=value ...]"
    assert taken(add_overrides) == {"overrides": []}
    assert taken(add_overrides, "a.b=1", "c=2") == {"overrides": ["a.b=1", "c=2"]}


def test_the_engine_of_large_collections(monkeypatch):
    assert usage(add_engine, monkeypatch) == "[--engine {here,ray}] [--actors N] [--ray-address ADDRESS]"
    assert taken(add_engine) == {"engine": "here", "actors": None, "ray_address": None}
    assert taken(add_engine, "--engine", "ray", "--actors", "3", "--ray-address", "auto") == {
        "engine": "ray",
        "actors": 3,
        "ray_address": "auto",
    }


def test_how_ones_own_clips_are_divided(monkeypatch):
    assert usage(add_own_clips, monkeypatch) == (
        "[--group COLUMN|PATTERN] [--classes FILE] [--root DIR] [--format NAME] [--seed SEED]"
    )
    nothing = {"group": None, "classes": None, "root": None, "format": "auto", "seed": 0}
    assert taken(add_own_clips) == nothing
    words = ("--group", "person", "--classes", "c.txt", "--root", "clips", "--format", "csv", "--seed", "3")
    assert taken(add_own_clips, *words) == {
        "group": "person",
        "classes": "c.txt",
        "root": "clips",
        "format": "csv",
        "seed": 3,
    }
