"""vidtok <command> …: the console script, and `python -m vidtok`."""

import difflib
import importlib
import sys
from collections.abc import Mapping
from types import MappingProxyType

from vidtok.cli import guarded

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "fit": ("fit", "a classifier from a folder of one's own clips"),
        "predict": ("predict", "label videos by a trained model"),
        "stream": ("stream", "label a video while it runs: a file, a camera, a stream of the network"),
        "serve": ("serve", "a page in the browser: drop a video, or label clips and fit"),
        "features": ("features", "write what a model makes of videos before its last layer"),
        "export": ("export", "write a model as a file for ONNX Runtime, torch.export or OpenVINO"),
        "train": ("train", "train a network, and test it at the end"),
        "test": ("test", "test a trained network with many views per video"),
        "report": ("report", "write the page of a test's results anew"),
        "compare": ("compare", "set runs side by side, with a test of significance"),
        "visualize": ("visualize", "write what a network looks at as a video"),
        "cross-validate": ("cross_validate", "train and test over the folds of a data set"),
        "explain": ("explain", "say which frames and crops training and testing see"),
        "profile": ("profile", "show where the time of a training step goes"),
        "folds": ("folds", "divide one's own clips into folds, or into training and validation"),
        "check": ("check", "decode every video of a list or folder, and name the bad ones"),
        "prepare": ("prepare", "write videos anew so that random clips are cheap to decode"),
        "lists": ("lists", "turn a list of any form into vidtok's own CSV"),
        "convert": ("convert", "bring other people's weights into vidtok's form"),
        "models": ("models", "parameters and multiply-adds of all models"),
        "motion": ("motion", "make the embedded data set"),
        "demo": ("demo", "everything once: data, training, testing, attention video"),
    }
)
"""The commands by name: each one's module in vidtok.cli, and what it does."""


def usage() -> str:
    rows = "\n".join(f"  {name:<16}{words}" for name, (_, words) in COMMANDS.items())
    return f"usage: vidtok [--version] <command> [--help] …\n\ncommands:\n{rows}"


def main() -> None:
    """Run the command that the first argument names, and leave with its status."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(usage())
    elif name == "--version":
        from importlib.metadata import version  # the largest import of all that --help would need

        print(f"vidtok {version('vidtok')}")
    elif name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        print(f"error: there is no command {name!r}{hint}\n\n{usage()}", file=sys.stderr)
        sys.exit(2)
    else:
        sys.argv[0] = f"vidtok {name}"  # what the command's own usage line begins with
        sys.exit(guarded(importlib.import_module(f"vidtok.cli.{COMMANDS[name][0]}").run, rest))
