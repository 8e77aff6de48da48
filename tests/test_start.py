"""What is not imported before it is used: the names, for what takes seconds; `tools/bench_start.py` measures."""

import json
import subprocess
import sys

HEAVY = (
    "timm torchvision transformers sklearn scipy matplotlib pytorchvideo decord torchcodec torch._dynamo sympy "
    "torch.utils.tensorboard torch.distributed.checkpoint"
)
STEPS = (
    "vidtok.create_model",
    "vidtok.create_model('vivit', classes=2, frames=2, size=32, width=24, depth=2, heads=2).eval()",
    "import vidtok.data.loader, vidtok.data.augment, vidtok.video.reader",  # what a loader's workers unpickle
    "import vidtok.runs.predict",
    "import vidtok.runs.fit",
    "import vidtok.runs.train",
)
CODE = """
import json, sys
import torch
heavy, steps = json.loads(sys.argv[1])
heavy = [name for name in heavy if name not in sys.modules]
import vidtok
found = []
for step in steps:
    exec(step)
    found.append([step, [name for name in heavy if name in sys.modules]])
print(json.dumps([heavy, found]))
"""


def test_what_takes_seconds_is_imported_where_it_is_used():
    given = json.dumps([HEAVY.split(), STEPS])
    run = subprocess.run([sys.executable, "-c", CODE, given], capture_output=True, text=True, check=True)
    heavy, found = json.loads(run.stdout)
    assert {"timm", "torchvision", "matplotlib", "torch._dynamo"} <= set(heavy)  # torch itself imports none of these
    assert found == [[step, []] for step in STEPS]


def test_help_imports_neither_torch_nor_numpy():
    code = """
import sys
from vidtok.cli.console import main
sys.argv = ["vidtok", "train", "--help"]
try:
    main()
except SystemExit:
    print([name for name in ("torch", "numpy", "pydantic", "yaml") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--cfg" in run.stdout
    assert run.stdout.splitlines()[-1] == "[]"
