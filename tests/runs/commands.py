"""A command without options asks for what its function takes where nothing is said."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest


class Asked(Exception):
    """In the place of what the function would do."""


def asks_for_the_defaults(command: str, function: Callable[..., Any], *arguments: str) -> None:
    """What `vidtok COMMAND ARGUMENTS` hands on, with no more said than has to be, is the function's own default."""
    with patch(f"{function.__module__}.{function.__name__}", side_effect=Asked) as fake, pytest.raises(Asked):
        importlib.import_module(f"vidtok.cli.{command}").run(arguments)
    parameters = inspect.signature(function).parameters
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    given = {name: value for name, value in fake.call_args.kwargs.items() if name in defaults}
    assert given
    for name, value in given.items():
        assert (tuple(value) if isinstance(value, list) else value) == defaults[name], name
