"""The pages of docs/: what they show runs."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, tool_options
from tests.runs.own_clips import colour_model, own_clips
from vidtok.cli.console import COMMANDS


@pytest.mark.slow
def test_the_notebook_s_lines_train_and_test_without_the_commands(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.strip().splitlines()) <= 14
    code += "\nimport sys\nassert not [name for name in sys.modules if name.startswith('vidtok.cli')]\n"
    options = tool_options(cwd=tmp_path)
    options["env"]["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d\.\d\d of 8 videos, attention in work/maps\.mp4$", done.stdout, re.MULTILINE)


def test_what_the_page_on_labels_shows_runs(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    own_clips(tmp_path / "clips", each=3)
    colour_model(tmp_path / "clips", tmp_path / "encoder.safetensors", seconds=0.4).save_pretrained(
        tmp_path / "runs" / "own" / "model"
    )
    monkeypatch.chdir(tmp_path)
    shutil.copytree("clips/red", "new")
    for name in ("long.mp4", "a.mp4", "b.mp4"):
        shutil.copy("clips/blue/p0_0.mp4", name)
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in commands.splitlines():
        _, name, *arguments = shlex.split(line.partition(" #")[0])
        assert importlib.import_module(f"vidtok.cli.{COMMANDS[name][0]}").run(arguments) == 0, line
    assert (tmp_path / "timelines" / "long.mp4.png").is_file()
    capsys.readouterr()
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, {})
    told = capsys.readouterr().out
    assert told.startswith("[('blue', 0.")
    assert "(3, " in told.splitlines()[-1]


EXPORT_LINES = """
import importlib, json, shutil, sys
from pathlib import Path
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
def test_what_the_page_on_exported_models_shows_runs(tmp_path):
    """In one process of its own, without the shape check, which torch cannot trace."""
    pytest.importorskip("onnxruntime")
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    own_clips(tmp_path / "my" / "clips", each=2)
    colour_model(tmp_path / "my" / "clips", tmp_path / "encoder.safetensors", seconds=0.4).save_pretrained(
        tmp_path / "runs" / "own" / "model"
    )
    shutil.copytree(tmp_path / "my" / "clips" / "red", tmp_path / "new")
    shutil.copytree(tmp_path / "my" / "clips", tmp_path / "my" / "val")
    shutil.copy(tmp_path / "my" / "clips" / "blue" / "p0_0.mp4", tmp_path / "a.mp4")
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines()
    commands = [shlex.split(line.partition(" #")[0]) for line in lines if line.startswith("vidtok")]
    assert len(commands) == 5
    codes = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    options = tool_options(cwd=tmp_path)
    options["env"]["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", EXPORT_LINES], input=json.dumps([commands, codes]), **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "8 bits (static): scores move by" in done.stdout
    assert "top1 1.000 -> 1.000" in done.stdout
    *_, label, told = done.stdout.splitlines()
    assert label == "blue"
    assert told == "['blue', 'green', 'red'] 1 ['batch', 2, 3, 224, 224]"
