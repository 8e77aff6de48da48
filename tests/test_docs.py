"""The pages of docs/: what they show runs."""

import re
import subprocess
import sys

from tests.conftest import ROOT, tool_options


def test_the_notebook_s_lines_train_and_test_without_the_commands(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.strip().splitlines()) <= 14
    code += "\nimport sys\nassert not [name for name in sys.modules if name.startswith('vidtok.cli')]\n"
    options = tool_options(cwd=tmp_path)
    options["env"]["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d\.\d\d of 8 videos, attention in work/maps\.mp4$", done.stdout, re.MULTILINE)
