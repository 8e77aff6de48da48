"""Fixtures that several parts share: small sets of real, encoded video, and the tools as processes."""

import importlib
import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.shapes import check_shapes

check_shapes("vidtok")  # before anything of it is imported

from tests.ranks import command, run_ranks  # noqa: E402
from vidtok.cli import guarded  # noqa: E402
from vidtok.data.motion import render_motion  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure():
    """A shell starts what it runs in the background with Ctrl-C ignored, and the processes of the tests inherit it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """GPU tests are skipped, saying so, unless VIDTOK_REQUIRE_GPU is set; then they fail where there is no GPU."""
    for item in items:
        if item.get_closest_marker("gpu") and not (torch.cuda.is_available() or os.environ.get("VIDTOK_REQUIRE_GPU")):
            item.add_marker(pytest.mark.skip(reason="no CUDA device, and VIDTOK_REQUIRE_GPU is not set"))


@pytest.fixture(scope="session")
def motion(tmp_path_factory) -> Path:
    """A small `motion` set: 24 training and 17 validation clips, which neither 2 nor 3 processes divide."""
    folder = tmp_path_factory.mktemp("motion")
    render_motion(folder, clips_train=24, clips_val=17)
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    """A small model as it is saved, and exported in several forms: see tests/infer/exports.py."""
    pytest.importorskip("onnxruntime")
    # Under pytest-xdist each worker has a folder of its own below that of the whole run: one of them makes the files.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exported"
    with FileLock(f"{folder}.lock"):
        if not (folder / "said.json").exists():  # which is written last
            folder.mkdir(exist_ok=True)
            words = [sys.executable, "-m", "tests.infer.exports", str(folder)]
            done = subprocess.run(words, **tool_options(timeout=900))
            assert done.returncode == 0, done.stderr[-3000:]
    return folder


def small_run(folder: Path, run: Path) -> list[str]:
    """Arguments of a run that takes seconds: the demo's config on a smaller network and set."""
    overrides = {
        "data.train": folder / "train.csv",
        "data.val": folder / "val.csv",
        "data.classes": folder / "classes.txt",
        "data.size": 32,
        "data.short_side": 40,
        "model.width": 24,
        "model.depth": 2,
        "model.heads": 2,
        "model.token_learner.after_block": 1,
        "model.dropout": 0.1,
        "train.steps": 12,
        "train.batch": 4,
        "train.log_every": 1,
        "train.warmup_steps": 2,
        "eval.every": "null",
        "eval.after_train": "false",
        "eval.report": "false",
        "run.dir": run,
    }
    return ["--cfg", "configs/motion_vivit_tl8.yaml", *(f"{key}={value}" for key, value in overrides.items())]


def tool(name: str, *arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a script of tools/ from the repository's root, with one thread for each process."""
    return subprocess.run(tool_command(name, *arguments), **tool_options(**options))


def together(name: str, *arguments: str | Path, processes: int) -> subprocess.CompletedProcess[str]:
    """A command in several processes that find each other, without torchrun and its seconds of imports."""
    return run_ranks(command, name, [str(word) for word in arguments], processes=processes)


def called(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which spares it seconds of imports; what it says is caught as `tool` does."""
    words = [str(word) for word in arguments]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        status = guarded(importlib.import_module(f"vidtok.cli.{command}").run, words)
    return subprocess.CompletedProcess(words, status, out.getvalue(), errors.getvalue())


def tool_command(name: str, *arguments: str | Path, processes: int = 1) -> list[str]:
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    return [sys.executable, *many, f"tools/{name}.py", *map(str, arguments)]


def tool_options(**options):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {"cwd": ROOT, "env": env, "text": True, "capture_output": True, "timeout": 300, **options}
