"""What a command hands on: the function that does its work is replaced by one that checks and keeps its arguments."""

import importlib
import inspect
import io
import sys
import typing
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from beartype.door import die_if_unbearable

from vidtok.cli import guarded
from vidtok.errors import ConfigError


class Handed:
    """Stands in for a function: it takes the arguments that the function takes, of the types that this one names.

    `calls`: those of each call by name, without what was left to the function's own defaults. It gives `gives`, or
    raises it where that is an error.
    """

    def __init__(self, function: Callable[..., Any], gives: Any):
        self._signature, self._types = inspect.signature(function), typing.get_type_hints(function)
        self.gives, self.calls = gives, list[dict[str, Any]]()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        given = self._signature.bind(*arguments, **options).arguments
        for name, value in given.items():
            die_if_unbearable(value, self._types[name])
        self.calls.append(dict(given))
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives

    def take(self) -> dict[str, Any]:
        """The arguments of the one call since this was asked last."""
        assert len(self.calls) == 1, self.calls
        return self.calls.pop()


def hand_to(monkeypatch: pytest.MonkeyPatch, module: str, name: str, *, gives: Any = None) -> Handed:
    """Replace a function where commands look it up, until the test ends."""
    made = Handed(getattr(importlib.import_module(module), name), gives)
    monkeypatch.setattr(f"{module}.{name}", made)
    return made


def ended(command: str, *words: str | Path) -> CompletedProcess[str]:
    """A command with these arguments, in this process: its status, however it leaves, and what it said.

    Lines of its own are as long as they come, so that a test need not know where they break.
    """
    arguments = [str(word) for word in words]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        with redirect_stderr(io.StringIO()) as errors:
            patch.setattr(sys, "argv", [f"vidtok {command.replace('_', '-')}"])
            patch.setenv("COLUMNS", "2000")
            patch.setenv("NO_COLOR", "1")
            try:
                status = guarded(importlib.import_module(f"vidtok.cli.{command}").run, arguments)
            except SystemExit as end:
                status = end.code
    return CompletedProcess(arguments, status, out.getvalue(), errors.getvalue())


def done(command: str, *words: str | Path) -> str:
    """What a command says that ends well and without a word of error."""
    end = ended(command, *words)
    assert (end.returncode, end.stderr) == (0, ""), end.stderr
    return end.stdout


def usage(command: str) -> str:
    """Which arguments a command takes, in which forms: the first line of its help."""
    return done(command, "--help").split("\n")[0].removeprefix("usage: vidtok ")


def refused(command: str, *words: str | Path) -> str:
    """Why a command takes these arguments not, without the usage that stands before it."""
    end = ended(command, *words)
    assert end.returncode == 2, end
    return end.stderr.rpartition("error: ")[2].strip()


def told_as(handed: Handed, name: str, command: str, *words: str | Path) -> str:
    """How the command says an error of the function's that names its argument `name`, such as --root."""
    handed.gives = ConfigError(f"`{name}` is another one")
    found, rest = refused(command, *words).split(" ", 1)
    assert rest == "is another one"
    return found
