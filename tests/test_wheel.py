"""The package as a wheel in an empty environment, away from the checkout."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from tests.runs.own_clips import own_clips
from vidtok.models.create import create_model

WITHOUT_CHECKOUT = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


NEWCOMER_SECONDS = 180
"""From the installed command to labelled videos, for 18 small clips, on a busy machine."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of what is needed, so that nothing is left in the checkout."""
    folder, copy = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in ("vidtok", "configs", "data_lists"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy)]
    subprocess.run(command, check=True, timeout=300, env=WITHOUT_CHECKOUT)
    (file,) = folder.glob("vidtok-*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """A new environment that holds the wheel; what it needs is taken from this one's packages, vidtok itself is not."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    binary = folder / "bin" / "python"
    install = [binary, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, timeout=300, env=WITHOUT_CHECKOUT)
    (site,) = folder.glob("lib/python*/site-packages")
    here = Path(torch.__file__).parents[1]
    # Packages alone: the .pth file of this environment's editable install is not read from a folder added so.
    (site / "packages.pth").write_text(f"{here}\n")
    return binary


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python.parent / arguments[0]), *arguments[1:]]
    return subprocess.run(command, cwd=cwd, env=WITHOUT_CHECKOUT, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_the_wheel_holds_configs_and_class_names(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"vidtok/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    lists = {f"vidtok/data_lists/{path.name}" for path in (ROOT / "data_lists").glob("*.txt")}
    assert len(configs) > 10
    assert (
        configs
        | lists
        | {"vidtok/py.typed", "vidtok/models/motion_casvit.safetensors", "vidtok/page/static/index.html"}
        <= names
    )
    assert not [name for name in names if name.startswith(("tests", "tools", "configs", "data_lists", "docs"))]


@pytest.mark.slow
def test_the_installed_package_works_away_from_the_checkout(python, tmp_path):
    done = run(python, "python", "-c", "import vidtok; print(vidtok.__file__)", cwd=tmp_path)
    assert str(python.parents[1]) in done.stdout, "the wheel's own package is what runs"
    done = run(python, "vidtok", "--version", cwd=tmp_path)
    assert done.stdout.startswith("vidtok "), done.stderr
    done = run(python, "vidtok", "train", "--cfg", "k400_vivit_tl8", cwd=tmp_path)
    assert done.returncode == 2
    assert "data/k400/train.csv: no such list" in done.stderr


@pytest.mark.slow
def test_a_saved_model_is_loaded_and_called(python, tmp_path):
    model = create_model("casvit_xs", classes=["jump", "run"], frames=4, size=64).eval()
    model.save_pretrained(tmp_path / "saved")
    clip = torch.arange(4 * 3 * 64 * 64).remainder(251).to(torch.uint8).view(1, 4, 3, 64, 64)
    code = (
        "import torch, vidtok\nmodel = vidtok.load('saved')\n"
        "clip = torch.arange(4 * 3 * 64 * 64).remainder(251).to(torch.uint8).view(1, 4, 3, 64, 64)\n"
        "print(model.classes, [round(x, 4) for x in model(clip)[0].tolist()])"
    )
    done = run(python, "python", "-c", code, cwd=tmp_path)
    expected = [round(x, 4) for x in model(clip)[0].tolist()]
    assert done.stdout.strip() == f"('jump', 'run') {expected}", done.stderr


@pytest.mark.slow
def test_the_demo_begins_by_the_installed_command(python, tmp_path):
    """All parts run on a set and a network that take a minute; a network that small misses the marks, which is told."""
    small = ["model.width=24", "model.depth=2", "model.heads=2", "model.token_learner.after_block=1", "train.steps=4"]
    small += ["train.batch=4", "train.warmup_steps=1", "data.workers=0", "eval.clips=1", "eval.crops=1"]
    made = run(python, "vidtok", "motion", "runs/demo/motion", "--train", "8", "--val", "8", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run(python, "vidtok", "demo", *small, cwd=tmp_path)
    assert done.returncode == 2
    assert "demo missed its marks" in done.stderr, done.stderr
    assert (tmp_path / "runs" / "demo" / "maps.mp4").is_file()


@pytest.mark.slow
def test_a_newcomer_labels_videos_with_two_commands(python, tmp_path, record_property):
    """No config and no edit: the installed command, a folder with a sub-folder per class, weights from a package."""
    own_clips(tmp_path / "my" / "clips")
    began = time.monotonic()
    done = run(python, "vidtok", "fit", "my/clips", "--out", "runs/own", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    told = re.match(r"fit ok: top1 (\d\.\d\d) ± \d\.\d\d \(5 folds, 18 videos\) \| one frame ", last)
    assert told is not None, done.stdout
    assert float(told[1]) >= 0.9, done.stdout
    assert "| tf_efficientnet_lite0, " in last
    done = run(
        python, "vidtok", "predict", "--model", "runs/own/model", "my/clips", "--out", "labels.csv", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - began
    record_property("seconds", seconds)
    with open(tmp_path / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    right = [row["class_1"] == Path(row["video"]).parent.name for row in rows]
    assert sum(right) >= 17
    assert seconds < NEWCOMER_SECONDS
