"""Folders that a command writes into, over every command that is told where."""

import pytest

from tests.conftest import ROOT
from vidtok.errors import ConfigError
from vidtok.runs.folders import make_folder


def test_folders_are_made_and_what_cannot_be_one_is_told(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert make_folder(folder) == folder
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"--to: .*file.* cannot be made \((File exists|Not a directory)\)"):
            make_folder(wrong, option="--to")


def test_every_command_makes_its_folders_here():
    """A folder that is made elsewhere in this room is one that a user did not name."""
    own = {
        "folders.py",
        "parts.py",
        "report.py",
        "results.py",
        "prepare.py",
        "cross_validate.py",
        "features.py",
        "fit_tune.py",
        "export.py",  # a hidden one, beside the file that was named
    }
    files = [file for file in (ROOT / "vidtok" / "runs").glob("*.py") if ".mkdir(" in file.read_text(encoding="utf-8")]
    assert {file.name for file in files} <= own
