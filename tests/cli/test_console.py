"""`vidtok <command>` and `python -m vidtok`: what they name, how they end, and that asking for help costs nothing."""

import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vidtok.cli import console
from vidtok.cli.console import COMMANDS

HEAVY = ("torch", "numpy", "jaxtyping", "timm", "av", "pydantic", "matplotlib")


def vidtok(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "vidtok", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command):
    code = (
        "import json, sys\nfrom vidtok.cli.console import main\n"
        f"sys.argv = ['vidtok', {command!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    status = end.code\n"
        f"print(json.dumps([status, [m for m in {HEAVY} if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
    assert done.stdout.startswith(f"usage: vidtok {command} ")


def test_every_command_is_there_and_said():
    done = vidtok("--help")
    assert done.returncode == 0
    files = {path.stem for path in (ROOT / "vidtok" / "cli").glob("*.py")} - {"__init__", "console"}
    assert {module for module, _ in COMMANDS.values()} == files
    for name, (_, words) in COMMANDS.items():
        assert f"  {name:<16}{words}" in done.stdout


def test_version_is_the_package_s(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["vidtok", "--version"])
    console.main()
    assert capsys.readouterr().out == f"vidtok {version('vidtok')}\n"


def test_a_wrong_command_is_told_with_the_nearest(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["vidtok", "trian"])
    with pytest.raises(SystemExit) as end:
        console.main()
    assert end.value.code == 2
    assert "there is no command 'trian', did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_config_is_found_by_name_away_from_the_checkout(tmp_path):
    """The lists of Kinetics are not here: that is what is said, not that the config or the class names are missing."""
    done = vidtok("train", "--cfg", "k400_vivit_tl8", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/k400/train.csv: no such list")
    (tmp_path / "train.csv").write_text("a.mp4 3\n")
    done = vidtok("train", "--cfg", "k400_vivit_tl8", "data.train=train.csv", "data.root=.", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.mp4" in done.stderr, "the class names were found, and the video is missing"


def test_a_name_that_is_no_config_is_told_with_those_that_are(tmp_path):
    done = vidtok("explain", "k400_vivit_tl9", cwd=tmp_path)
    assert done.returncode == 2
    assert "k400_vivit_tl9: no such config file" in done.stderr
    assert "k400_vivit_tl8" in done.stderr


def test_commands_hold_arguments_only():
    long = {
        path.name: lines
        for path in (ROOT / "vidtok" / "cli").glob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 120
    }
    assert not long


def test_every_command_has_the_module_that_it_names():
    for name, (module, _) in COMMANDS.items():
        assert importlib.util.find_spec(f"vidtok.cli.{module}") is not None, name
        assert module == name.replace("-", "_")
