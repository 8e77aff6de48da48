"""The commands, a file each with `run(arguments) -> exit status`: `vidtok <command>`, and the scripts in tools/.

A command holds its arguments; what it does is a function of `vidtok.runs`, imported when the arguments are read, so
that `--help` takes no time.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import get_args

from vidtok.choices import Engine
from vidtok.errors import VidtokError
from vidtok.text.arguments import told_with
from vidtok.text.console import widen_streams


def main(command: str) -> None:
    """Run a command with the process's arguments and leave with its status."""
    sys.exit(guarded(importlib.import_module(f"vidtok.cli.{command}").run, sys.argv[1:]))


def guarded(run: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """The exit status of a command.

    What the user can mend is said in one message, without a traceback, with status 2; Ctrl-C leaves with 130.
    """
    # Threads that spin while they wait make two torch processes on the same cores many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    widen_streams()
    try:
        return run(arguments)
    except VidtokError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def told_in_options(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Errors of what a command calls, with the command's options for the arguments that they name."""
    return told_with({name: f"--{name.replace('_', '-')}" for name in vars(arguments)})


def parser(description: str) -> argparse.ArgumentParser:
    """A parser whose description keeps its line breaks."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_overrides(to: argparse.ArgumentParser) -> None:
    """Let the command take any number of changes to its config."""
    words = "change a key of the config, such as train.lr=1e-3 (any number of them)"
    to.add_argument("overrides", nargs="*", metavar="key.sub=value", help=words)


def add_engine(to: argparse.ArgumentParser) -> None:
    """The options of commands that go over a collection of videos as a Ray Data job."""
    group = to.add_argument_group("large collections", "pip install 'vidtok[ray]'; docs/predict.md")
    words = "ray: by actors of a Ray Data job, one for each GPU, or for each core (default: %(default)s)"
    group.add_argument("--engine", choices=get_args(Engine), default="here", help=words)
    group.add_argument("--actors", type=int, metavar="N", help="as many actors (default: all that there is room for)")
    group.add_argument("--ray-address", metavar="ADDRESS", help="of a Ray cluster (default: Ray is started here)")


def add_own_clips(to: argparse.ArgumentParser) -> None:
    """The options of commands that divide one's own clips: what a list means, what stays together, the seed."""
    words = "what clips belong together by (a person): a column of the list, or a pattern for paths such as '/(s\\d+)_'"
    to.add_argument("--group", metavar="COLUMN|PATTERN", help=words)
    to.add_argument("--classes", metavar="FILE", help="class names, where the list writes numbers")
    to.add_argument("--root", metavar="DIR", help="where relative paths of the list begin")
    to.add_argument("--format", default="auto", metavar="NAME", help="form of the list (default: found by itself)")
    to.add_argument("--seed", type=int, default=0, help="of what is divided (default: %(default)s)")
