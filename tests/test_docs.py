"""The pages of docs/: what they show runs, but for a few commands that stand in a table with what speaks for them."""

import csv
import importlib
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from PIL import Image

import vidtok
from tests.conftest import ROOT, small_run, tool_options
from tests.runs.own_clips import COLOURS, ENCODER, colour_model, own_clips
from tests.test_docs_commands import FENCE, PAGES, blocks, command_in, commands, lines_of
from tests.video.clips import make_clip, read_numbers
from vidtok.cli import train
from vidtok.cli.console import COMMANDS
from vidtok.data.lists import read_list
from vidtok.video.reader import open_video

ELSEWHERE = {
    "pip install": "packages from outside; tests/test_docs_commands.py looks for the extras that are named",
    "python tools/bench_models.py": "minutes, half an hour for all; tests/test_bench_models.py measures small networks",
    "python tools/bench_step.py": "minutes; tests/test_bench_step.py measures a small network",
    "torchrun --standalone --nproc-per-node 8": "eight GPUs; tests/train/test_fsdp.py has several processes on the CPU",
    "torchrun --standalone --nproc-per-node 2": "tests/runs/test_train_kill.py starts torchrun so, on a small set",
    "torchrun --nnodes 4": "four machines",
    "#!/bin/bash\n#SBATCH": "Slurm",
    "vidtok predict --engine ray": "128 archives; tests/runs/test_ray_job.py has small jobs",
    "vidtok features --engine ray": "the same",
    "vidtok serve": "it serves until it is stopped; tests/page/test_serve.py reads these lines",
    "vidtok stream /dev/video0": "a camera; tests/runs/test_stream.py plays one",
    "vidtok stream rtsp://": "a camera in the network; tests/runs/test_stream.py plays one",
    "vidtok convert diving48-vitl-256.pt": "1.3 GB of weights; tests/models/test_published_probe.py has a small probe",
    "vidtok test --checkpoint d48.safetensors": "what that command makes",
}
"""The beginnings of commands that do not run here, and why not, or where they do."""


SMALL = [
    "train.epochs=null",
    "train.steps=1",
    "train.warmup_steps=0",
    "train.batch=2",
    "data.frames=2",
    "model.width=24",
    "data.workers=0",
    "eval.report=false",
]
LISTS = {
    "annotations.xml": (
        "<annotations><version>1.1</version><meta><task><id>1</id><source>games.mp4</source></task></meta>"
        '<track id="0" label="run"><box frame="0" outside="0"/><box frame="20" outside="1"/></track>'
        '<track id="1" label="jump"><box frame="20" outside="0"/><box frame="40" outside="1"/></track></annotations>'
    ),
    "k400/annotations/train.csv": "label,youtube_id,time_start,time_end,split\nabseiling,---abcdefgh,1,11,train\n",
    "avid_train.json": '{"a.mp4": "playing harmonica", "b.mp4": "none"}',
    "avid_val.json": '{"c.mp4": "playing harmonica", "d.mp4": "none"}',
    "splits/clap_test_split1.txt": "a.avi 1\n",
    "splits/wave_test_split1.txt": "b.avi 2\n",
    "rawframes/train.txt": "jump/a 3 0\nrun/b 3 1\n",
}
"""What docs/lists.md reads, by name."""


def plain(line: str) -> str:
    """A command without its comment, and with single spaces."""
    return " ".join(line.partition(" #")[0].split())


README = {plain(line) for line in commands(PAGES["README.md"])}
"""What tests/test_readme.py runs, or has in a table of its own."""


def elsewhere(line: str) -> bool:
    return line.startswith(tuple(ELSEWHERE)) or plain(line) in README


def newest(path: Path) -> int:
    """When the newest file of a folder, or the file itself, was written, in ns."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max(file.stat().st_mtime_ns for file in files)


def follow(page: str, *, more: Mapping[str, Sequence[str]] | None = None, names: dict[str, Any] | None = None) -> None:
    """Run a page's blocks in their order, in this process and folder.

    `more`: what is added to a command by its name, to make it small. `names`: what the page's Python code takes as
    given; what it makes is added. Each file or folder behind --out, --to or --jsonl is there afterwards, and new.
    """
    known = {} if names is None else names
    for language, block in FENCE.findall(PAGES[f"docs/{page}"]):
        if language == "python":
            exec(block, known)
        for line in lines_of(block) if language == "sh" else ():
            if elsewhere(line):
                continue
            found = command_in(shlex.split(line, comments=True))
            assert found is not None, line
            name, words = found
            start = time.time_ns()
            module = importlib.import_module(f"vidtok.cli.{COMMANDS[name][0]}")
            assert module.run([*words, *(more or {}).get(name, ())]) == 0, line
            for option, file in itertools.pairwise(words):
                if option in ("--out", "--to", "--jsonl"):
                    assert newest(Path(file)) >= start - 20_000_000, f"{line}: {file}"  # clocks of files are coarse


def test_every_page_is_run_but_for_the_commands_of_the_table():
    """A page whose every command stands in the table, and which has no Python, needs no test."""
    own = {name.removeprefix("test_page_") for name in globals() if name.startswith("test_page_")}
    for page, text in PAGES.items():
        if page != "README.md" and (blocks(text, "python") or not all(map(elsewhere, commands(text)))):
            assert Path(page).stem in own, page
    shown = [line for page, text in PAGES.items() if page != "README.md" for line in commands(text)]
    unshown = [start for start in ELSEWHERE if not any(line.startswith(start) for line in shown)]
    assert not unshown, "no page has such a command any more"


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the pages' relative paths lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """A person's clips, an encoder's weights, and the model of a fit on them."""
    folder = tmp_path_factory.mktemp("own")
    clips = own_clips(folder / "clips", each=3)
    colour_model(clips, folder / "encoder.safetensors", seconds=0.4).save_pretrained(folder / "model")
    return folder


@pytest.fixture(scope="module")
def trained(motion, tmp_path_factory) -> Path:
    """A run of two steps on `motion`, with a checkpoint of each."""
    run = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert train.run([*small_run(motion, run), "train.steps=2", "train.save_every=1", "data.workers=0"]) == 0
    return run


def test_page_benchmarks(own):
    model = vidtok.load(own / "model")
    names = {"model": model}
    follow("benchmarks.md", names=names)
    form, clips = names["form"], torch.randint(0, 256, (1, 2, 3, 224, 224), dtype=torch.uint8)
    assert form is not model
    torch.testing.assert_close(form(clips), model(clips), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_page_encoders(desk, own):
    for part in ("train", "val"):
        shutil.copytree(own / "clips", Path("my", part))
    follow("encoders.md", more={"train": [f"model.encoder={ENCODER}={own / 'encoder.safetensors'}", *SMALL]})
    assert vidtok.load("runs/mine").classes == tuple(COLOURS)
    assert (desk / "runs" / "mine" / "test" / "results.json").is_file()


def test_page_fit(desk, own):
    """Its first command is the README's."""
    shutil.copytree(own / "model", "runs/own/model")
    shutil.copytree(own / "clips" / "green", "new")
    follow("fit.md")
    with open("labels.csv", newline="", encoding="utf-8") as file:
        assert {row["class_1"] for row in csv.DictReader(file)} == {"green"}


def test_page_lists(desk, own):
    videos = {
        "videos": ["games.mp4"],
        "k400": ["---abcdefgh_000001_000011.mp4"],
        "avid/videos": ["a.mp4", "b.mp4", "c.mp4", "d.mp4"],
        "hmdb51/clap": ["a.avi"],
        "hmdb51/wave": ["b.avi"],
    }
    film = make_clip(desk / "film.mp4", frames=45)
    for folder, files in videos.items():
        Path(folder).mkdir(parents=True)
        for file in files:
            shutil.copy(film, Path(folder, file))
    for name, text in LISTS.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    for name in ("jump/a", "run/b"):
        folder = desk / "rawframes" / name
        folder.mkdir(parents=True)
        for number in (1, 2, 3):
            Image.new("RGB", (32, 24)).save(folder / f"img_{number:05}.jpg")
    (desk / "data_lists").symlink_to(ROOT / "data_lists")
    for number, clip in enumerate(sorted(own.glob("clips/*/*.mp4"))):
        target = Path("my", "clips", clip.parent.name, f"person{number % 6}_{clip.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, target)
    follow("lists.md", more={"prepare": ["--workers", "1", "--preset", "ultrafast"]})
    files = ["my/train.csv", "data/k400/train.csv", "data/avid/train.csv", "data/avid/val.csv", "data/hmdb51/val.csv"]
    files += ["data/own/train.csv", "my/folds/labels.csv"]
    assert [len(read_list(name)) for name in files] == [2, 1, 1, 1, 1, 2, 9]
    assert len(read_list("my/lists/train.csv")) + len(read_list("my/lists/val.csv")) == 9
    seen = []
    for record in read_list("my/cut/train.csv"):
        with open_video(record.path) as video:
            seen.append(read_numbers(video.frames_at(range(len(video))).pixels.numpy()))
    assert seen == [[*range(20)], [*range(20, 40)]]


@pytest.mark.slow
def test_page_pictures(desk, trained, motion, capsys):
    (desk / "runs").mkdir()
    (desk / "runs" / "mine").symlink_to(trained)
    video = motion / "val" / "00000.mp4"
    shutil.copy(video, "a.mp4")
    follow("pictures.md")
    with av.open("whole.mp4") as whole, av.open("a.mp4") as source:
        assert sum(1 for _ in whole.decode(video=0)) == sum(1 for _ in source.decode(video=0))
    assert "rollout" in capsys.readouterr().out.splitlines()[-1], "the last block prints what the raw maps are"


def test_page_predict(desk, own, capsys):
    shutil.copytree(own / "model", "runs/own/model")
    shutil.copytree(own / "clips" / "red", "new")
    for name in ("long.mp4", "a.mp4", "b.mp4"):
        shutil.copy(own / "clips" / "blue" / "p0_0.mp4", name)
    follow("predict.md")
    assert (desk / "timelines" / "long.mp4.png").is_file()
    told = capsys.readouterr().out
    assert "\n[('blue', 0." in told
    assert "(3, " in told.splitlines()[-1]


@pytest.mark.slow
def test_page_python(tmp_path):
    """What a notebook does trains and tests without the commands."""
    (code,) = blocks(PAGES["docs/python.md"], "python")
    assert len(code.strip().splitlines()) <= 14
    code += "\nimport sys\nassert not [name for name in sys.modules if name.startswith('vidtok.cli')]\n"
    options = tool_options(cwd=tmp_path)
    options["env"]["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d\.\d\d of 8 videos, attention in work/maps\.mp4$", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_page_streaming(desk, own, capsys):
    shutil.copytree(own / "model", "runs/own/model")
    shutil.copy(own / "clips" / "blue" / "p0_0.mp4", "a.mp4")
    camera = [torch.full((1, 3, 224, 224), level, dtype=torch.uint8) for level in (0, 90, 200)]
    follow("streaming.md", names={"camera": camera})
    rows = [json.loads(line) for line in Path("labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows] == ["blue"] * 3
    assert set(capsys.readouterr().out.splitlines()[-2:]) <= set(COLOURS), "two windows of two frames"


@pytest.mark.slow
def test_page_training(desk, trained):
    shutil.copytree(trained, "runs/mine")
    text = (trained / "config.yaml").read_text(encoding="utf-8").replace(str(trained), "runs/mine")
    Path("mine.yaml").write_text(text, encoding="utf-8")
    follow("training.md", more={"train": ["train.steps=3"]})
    log = [json.loads(line) for line in Path("runs/mine/log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in log].count("segment") == 1
    assert max(line["step"] for line in log if line["event"] == "train") == 3


EXPORT_LINES = """
import importlib, json, shutil, sys
from pathlib import Path
from vidtok.cli import train
from vidtok.cli.console import COMMANDS
from vidtok.runs import export
commands, codes = json.loads(sys.stdin.read())
# The model is one and the same: it is traced and written once for each form, and its files are copies of that.
inner_program, inner_onnx = export.export_program, export.WRITERS["onnx"]
programs, written = {}, {}
def export_program(own, *, takes="pixels"):
    if takes not in programs:
        programs[takes] = inner_program(own, takes=takes)
    return programs[takes]
def write_onnx(program, path, *, told):
    if (key := json.dumps(told)) not in written:
        written[key] = Path(f"written_{len(written)}.onnx")
        inner_onnx(program, written[key], told=told)
    shutil.copy(written[key], path)
export.export_program, export.WRITERS["onnx"] = export_program, write_onnx
for words in commands:
    assert importlib.import_module(f"vidtok.cli.{COMMANDS[words[1]][0]}").run(words[2:]) == 0, words
for code in codes:
    exec(code, {})
"""


@pytest.mark.slow
def test_page_export(tmp_path):
    """In one process of its own, without the shape check, which torch cannot trace."""
    pytest.importorskip("onnxruntime")
    own_clips(tmp_path / "my" / "clips", each=2)
    colour_model(tmp_path / "my" / "clips", tmp_path / "encoder.safetensors", seconds=0.4).save_pretrained(
        tmp_path / "runs" / "own" / "model"
    )
    shutil.copytree(tmp_path / "my" / "clips" / "red", tmp_path / "new")
    shutil.copytree(tmp_path / "my" / "clips", tmp_path / "my" / "val")
    shutil.copy(tmp_path / "my" / "clips" / "blue" / "p0_0.mp4", tmp_path / "a.mp4")
    lines = [shlex.split(line, comments=True) for line in commands(PAGES["docs/export.md"]) if not elsewhere(line)]
    assert len(lines) == 5
    codes = blocks(PAGES["docs/export.md"], "python")
    options = tool_options(cwd=tmp_path)
    options["env"]["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", EXPORT_LINES], input=json.dumps([lines, codes]), **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "8 bits (static): scores move by" in done.stdout
    assert "top1 1.000 -> 1.000" in done.stdout
    *_, label, told = done.stdout.splitlines()
    assert label == "blue"
    assert told == "['blue', 'green', 'red'] 1 ['batch', 2, 3, 224, 224]"
