"""What the user can mend is one message and a status; everything else keeps its traceback."""

import argparse
import sys
import types

import pytest

import vidtok.errors
from vidtok.cli import main, told_in_options
from vidtok.errors import ConfigError, ModelError, VidtokError


def command(monkeypatch, error):
    def run(arguments):
        if isinstance(error, BaseException):
            raise error
        return error

    monkeypatch.setitem(sys.modules, "vidtok.cli.made_up", types.SimpleNamespace(run=run))
    try:
        main("made_up")
    except SystemExit as left:
        return left.code
    raise AssertionError("main came back instead of leaving")


def test_every_error_is_one_that_the_tools_print():
    errors = [value for value in vars(vidtok.errors).values() if isinstance(value, type)]
    assert len(errors) >= 7
    assert all(issubclass(error, VidtokError) for error in errors)
    assert issubclass(ModelError, ValueError)


@pytest.mark.parametrize(("result", "status"), [(0, 0), (1, 1), (KeyboardInterrupt(), 130)])
def test_the_exit_status_is_the_command_s(monkeypatch, result, status):
    assert command(monkeypatch, result) == status


def test_a_message_without_a_traceback(monkeypatch, capsys):
    assert command(monkeypatch, ConfigError("data.frames: missing")) == 2
    said = capsys.readouterr()
    assert said.err == "error: data.frames: missing\n"
    assert said.out == ""


def test_a_message_names_the_options_of_the_command():
    arguments = argparse.Namespace(short_side=256, root=None)
    with pytest.raises(ConfigError, match=r"^--short-side=3, --root and `workers`$"), told_in_options(arguments):
        raise ConfigError("`short_side`=3, `root` and `workers`")


def test_a_defect_keeps_its_traceback(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        command(monkeypatch, ZeroDivisionError())
