"""The README says what is there, and its commands do what it says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import called
from tests.file_tree import HEADING, PAGE, ROOT, tree
from tests.runs.own_clips import ENCODER, encoder_file

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition(" #")[0].replace("…", "")
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
# What other tests run whole, or what this machine cannot hold: each with what is looked at instead.
ELSEWHERE = {
    "pip install .": "tests/test_wheel.py installs the wheel into an empty environment",
    "vidtok demo": "tests/runs/test_demo.py and tests/test_wheel.py run it small",
    "make test": "this is it",
    "make test-slow": "this is it",
    "make docs": "tests/test_sphinx.py builds them so",
}
SMALL = [
    "train.steps=2",
    "train.warmup_steps=1",
    "train.batch=4",
    "train.log_every=1",
    "eval.every=null",
    "eval.report=false",
    "data.workers=0",
]
MISSING = "data/k400/train.csv: no such list"


def test_the_tree_is_the_tree():
    assert PAGE.read_text(encoding="utf-8") == f"{HEADING}\n\n{tree()}\n", "run `python -m tests.file_tree`"


def test_it_is_short():
    assert len(README.encode()) <= 10_240


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("vidtok", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if path.stat().st_size and not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert not silent


def test_named_files_are_there():
    pages = [README, *(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md") if page != PAGE)]
    named = {
        name
        for text in pages
        for name in re.findall(r"\b(?:tools|configs|docs|vidtok)/[\w/]+\.(?:py|yaml|png|md)\b", text)
    }
    assert len(named) > 8
    missing = sorted(name for name in named if not (ROOT / name).exists() and "mine" not in name)
    assert not missing


@pytest.fixture(scope="module")
def desk(motion, tmp_path_factory) -> Path:
    """A folder in which every file that the README's commands name stands: small stand-ins, made of `motion`."""
    folder = tmp_path_factory.mktemp("desk")
    names = (motion / "classes.txt").read_text().split()
    for part in ("train", "val"):
        for line in (motion / f"{part}.csv").read_text().splitlines()[:16]:
            path, label = line.rsplit(maxsplit=1)
            target = folder / "my" / part / names[int(label)] / Path(path).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(motion / path, target)
    first = next((folder / "my" / "val").rglob("*.mp4"))
    (folder / "my" / "val" / "wave").mkdir()
    (folder / "my" / "train" / "wave").mkdir()
    shutil.copy(first, folder / "my" / "val" / "wave" / "a.mp4")
    shutil.copy(first, folder / "my" / "train" / "wave" / "b.mp4")
    shutil.copy(first, folder / "a.mp4")
    shutil.copytree(folder / "my" / "train", folder / "my" / "clips")
    second = [*(folder / "my" / "val").rglob("*.mp4")][1]
    shutil.copy(second, folder / "my" / "clips" / "wave" / "c.mp4")  # a class of one video cannot be measured
    (folder / "new").mkdir()
    shutil.copy(first, folder / "new" / "b.mp4")
    encoder_file(folder / "encoder.safetensors")
    (folder / "videos").mkdir()
    shutil.copy(first, folder / "videos" / "---abcdefgh_000001_000011.mp4")
    header = "label,youtube_id,time_start,time_end,split\n"
    (folder / "kinetics-400_train.csv").write_text(f"{header}abseiling,---abcdefgh,1,11,train\n")
    return folder


@pytest.mark.slow
def test_every_command_runs(desk, monkeypatch):
    """In the README's order, since later commands use what earlier ones wrote; trainings are cut to two steps."""
    assert len(COMMANDS) > 10
    monkeypatch.chdir(desk)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    ran = []
    for command in COMMANDS:
        words = shlex.split(command)
        if " ".join(words) in ELSEWHERE:
            continue
        kind = command.split()[1]
        more = {"train": SMALL, "fit": ["--encoder", f"{ENCODER}=encoder.safetensors", "--frames", "4"]}.get(kind, [])
        if words[0] == "vidtok":
            done = called(kind, *words[2:], *more)
        else:
            words = [word.replace("tools/", f"{ROOT}/tools/").replace("configs/", f"{ROOT}/configs/") for word in words]
            words = ["1" if word == "8" else word for word in words]  # one process is enough to be refused
            launch = [] if words[0] == "python" else ["-m", "torch.distributed.run"]
            words = [sys.executable, *launch, *words[1:]]
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300, check=False)
        if "k400" in command and "explain" not in command:
            assert MISSING in done.stderr, (command, done.stderr)
        else:
            assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-3000:])
        ran.append(command)
    assert len(ran) == len(COMMANDS) - len(ELSEWHERE)
    for name in (
        "maps.mp4",
        "train.csv",
        "train.check.csv",
        "small/train.csv",
        "a.png",
        "runs/mine/test/results.json",
        "labels.csv",
    ):
        assert (desk / name).is_file(), name
