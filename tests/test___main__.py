"""`python -m vidtok`: the console's commands, and nothing at all in the processes that it starts."""

import runpy
import sys
from importlib.metadata import version

import pytest

from tests.conftest import ROOT


def test_it_is_the_console(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "vidtok.__main__", raising=False)
    monkeypatch.setattr(sys, "argv", ["vidtok", "--version"])
    runpy.run_module("vidtok", run_name="__main__")
    assert capsys.readouterr().out == f"vidtok {version('vidtok')}\n"
    monkeypatch.setattr(sys, "argv", ["vidtok", "no-command"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("vidtok", run_name="__main__")
    assert end.value.code == 2


def test_a_process_that_is_spawned_runs_no_command(monkeypatch, capsys):
    """It begins by running its parent's main module, under another name."""
    monkeypatch.setattr(sys, "argv", ["vidtok", "no-command"])
    runpy.run_path(str(ROOT / "vidtok" / "__main__.py"), run_name="__mp_main__")
    assert capsys.readouterr() == ("", "")
