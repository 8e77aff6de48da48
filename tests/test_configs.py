"""Every shipped config builds, and its header tells the truth."""

import re
from pathlib import Path

import pytest

from vidtok.build import build_model
from vidtok.config_io import load_config, load_config_text, to_yaml
from vidtok.models.cost import count_cost

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SIZE = r"# size:    [\d.]+ M parameters, [\d.]+ G multiply-adds per view, (\d+) classes"


def test_there_are_configs_but_not_too_many():
    assert 5 <= len(CONFIGS) <= 16


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_header_tells_the_truth(path):
    text = path.read_text(encoding="utf-8")
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert any(line.startswith("# run:     ") and f"configs/{path.name}" in line for line in header)
    assert any(line.startswith("# data:    ") for line in header)
    assert any(line.startswith("# result:  ") for line in header)
    (size,) = [line for line in header if line.startswith("# size:")]
    match = re.fullmatch(SIZE, size)
    assert match, f"{path.name}: write the size as {SIZE!r}, not {size!r}"
    config = load_config(path)
    names = [str(k) for k in range(int(match[1]))]
    model = build_model(config, names, device="meta")
    cost = count_cost(model.network, frames=config.data.frames, size=config.data.size)[""]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    figures = f"{parameters / 1e6:.2f} M parameters, {cost.macs / 1e9:.3g} G multiply-adds per view"
    assert size == f"# size:    {figures}, {len(names)} classes"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_resolved_config_reads_back(path):
    config = load_config(path)
    assert load_config_text(to_yaml(config), source=path.name) == config
    assert config.run.dir == f"runs/{path.stem}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_class_files_of_the_project_are_there(path):
    classes = load_config(path).data.classes
    if classes is not None and classes.startswith("data_lists/"):
        assert (ROOT / classes).is_file()
