"""The commands. Each file has `run(arguments) -> exit status`; the scripts in tools/ call them through `main`."""

import argparse
import importlib
import os
import sys

from vidtok.errors import VidtokError


def main(command: str) -> None:
    """Run a command with the process's arguments and leave with its status.

    What the user can mend is said in one message, without a traceback, with status 2; Ctrl-C leaves with 130.
    """
    # Threads that spin while they wait make two torch processes on the same cores many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = importlib.import_module(f"vidtok.cli.{command}").run(sys.argv[1:])
    except VidtokError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)


def parser(description: str) -> argparse.ArgumentParser:
    """A parser whose description keeps its line breaks."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_overrides(to: argparse.ArgumentParser) -> None:
    """Let the command take any number of changes to its config."""
    words = "change a key of the config, such as train.lr=1e-3 (any number of them)"
    to.add_argument("overrides", nargs="*", metavar="key.sub=value", help=words)
