"""The pages of docs/: what they show runs."""

import importlib
import re
import shlex
import shutil
import subprocess
import sys

from tests.conftest import ROOT, tool_options
from tests.runs.own_clips import colour_model, own_clips
from vidtok.cli.console import COMMANDS


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
