"""What the tests of training runs share: losses, checkpoints, the tool in the background."""

import json
import subprocess

import torch

from tests.conftest import tool_command, tool_options


def losses(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if line["event"] == "train"}


def final(run, step=12):
    return torch.load(run / "checkpoints" / f"step_{step:08d}.pt", weights_only=True)


def assert_same(one, other):
    """Bitwise, all the way down."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def start_tool(*arguments):
    """A tool in the background, all that it says on one pipe."""
    options = {key: value for key, value in tool_options().items() if key in ("cwd", "env", "text")}
    return subprocess.Popen(tool_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def wait_for(process, start):
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f"the tool ended without a line that starts with {start!r}")
