"""Every shipped config builds, and so does every variant of docs/variants.md; their stated sizes are true."""

import re
import shlex
from pathlib import Path

import pytest

from tests.models.costs import COSTS
from vidtok.build import build_model
from vidtok.config_io import load_config, load_config_text, to_yaml
from vidtok.config_train import TrainConfig
from vidtok.data.lists import read_classes
from vidtok.models.cost import Cost, count_cost

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SIZE = r"# size:    [\d.]+ M parameters, [\d.]+ G multiply-adds per view, \d+ classes"

MARKERS = ("<!-- overrides:start -->", "<!-- overrides:end -->")


def cost_of(config, classes: int) -> Cost:
    model = build_model(config, [str(k) for k in range(classes)], device="meta")
    return count_cost(model.network, frames=config.data.frames, size=config.data.size)[""]


def classes_of(path: Path) -> int:
    """The number of classes in a config's header."""
    (classes,) = re.findall(r"^# size: .* (\d+) classes$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return int(classes)


def variants(text: str) -> list[tuple[str, str, str, str]]:
    """The rows of the table of variants: config, overrides, millions of parameters, thousand millions multiply-adds."""
    table = text.partition(MARKERS[0])[2].partition(MARKERS[1])[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip(" `") for cell in row[1:]) for row in rows]


VARIANTS = variants((ROOT / "docs/variants.md").read_text(encoding="utf-8"))


def test_there_are_configs_but_not_too_many():
    assert 5 <= len(CONFIGS) <= 20


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_header_tells_the_truth(path):
    text = path.read_text(encoding="utf-8")
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert any(line.startswith("# run:     ") and f"configs/{path.name}" in line for line in header)
    assert any(line.startswith("# data:    ") for line in header)
    assert any(line.startswith("# result:  ") for line in header)
    (size,) = [line for line in header if line.startswith("# size:")]
    assert re.fullmatch(SIZE, size), f"{path.name}: write the size as {SIZE!r}, not {size!r}"
    config = load_config(path)
    cost = cost_of(config, classes_of(path))
    figures = f"{cost.parameters / 1e6:.2f} M parameters, {cost.macs / 1e9:.3g} G multiply-adds per view"
    assert size == f"# size:    {figures}, {classes_of(path)} classes"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_resolved_config_reads_back(path):
    config = load_config(path)
    assert load_config_text(to_yaml(config), source=path.name) == config
    assert config.run.dir == f"runs/{path.stem}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_class_files_of_the_project_have_as_many_names_as_the_header_says(path):
    classes = load_config(path).data.classes
    if classes is not None and classes.startswith("data_lists/"):
        assert len(read_classes(ROOT / classes)) == classes_of(path)


def test_the_readme_has_variants():
    assert len(VARIANTS) >= 20
    assert len({row[:2] for row in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize(("name", "overrides", "parameters", "macs"), VARIANTS)
def test_a_variant_builds_and_has_its_size(name, overrides, parameters, macs):
    path = ROOT / "configs" / f"{name}.yaml"
    published = re.fullmatch(r'"model=\{name: (\w+)\}"', overrides)
    if published and published[1] in COSTS:  # counted by the tests of published models; the base tries the sizes
        config = load_config(path, [*shlex.split(overrides), "data.sizes=null"])
        model = build_model(config, [str(k) for k in range(classes_of(path))], device="meta")
        assert sum(parameter.numel() for parameter in model.network.parameters()) == COSTS[published[1]][0]
        counted = COSTS[published[1]]
    else:
        cost = cost_of(load_config(path, shlex.split(overrides)), classes_of(path))
        counted = cost.parameters, cost.macs
    assert (f"{counted[0] / 1e6:.2f}", f"{counted[1] / 1e9:.4g}") == (parameters, macs)


def test_every_key_of_training_is_turned_by_a_config_or_a_variant():
    """A key that all of them leave alone is a knob that nobody turns."""
    shipped = [load_config(path) for path in CONFIGS]
    shipped += [load_config(ROOT / "configs" / f"{name}.yaml", shlex.split(words)) for name, words, _, _ in VARIANTS]
    for key in TrainConfig.model_fields:
        assert len({repr(getattr(config.train, key)) for config in shipped}) > 1, f"train.{key}"
