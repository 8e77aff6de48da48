"""What is known of a model: there and back as plain values, and from the folder of a run."""

import json

import pytest

from vidtok.errors import ModelError
from vidtok.models.about import About, about_checkpoint

DETAIL = {"figures": {"top1": {"value": 0.5, "low": 0.25, "high": None}}}


def test_there_and_back():
    about = About(
        data="72 videos", weights="lite0", protocol="top1", figures={"top1": (0.5, 0.25, 0.75)}, licence="mit"
    )
    assert About.of(json.loads(json.dumps(about.describe()))) == about
    assert About.of({}) == About()
    with pytest.raises(ModelError, match="a value and two ends"):
        About.of({"figures": {"top1": [0.5]}})
    with pytest.raises(TypeError):
        About.of({"author": "x"})


def test_a_checkpoint_has_the_figures_of_its_own_test(tmp_path):
    file = tmp_path / "checkpoints" / "step_00000012.pt"
    lists = {"train": "24 records, 0123456789abcdef"}
    assert about_checkpoint(file, {}) is None
    assert about_checkpoint(file, lists) == About(data="a list of 24 records, 0123456789abcdef (SHA-256)")
    (tmp_path / "test").mkdir()
    results = {"checkpoint_file": file.name, "line": "val | top1 0.5", "detail": DETAIL}
    (tmp_path / "test" / "results.json").write_text(json.dumps(results))
    found = about_checkpoint(file, lists)
    assert found is not None
    assert found.data is not None
    assert (found.protocol, found.figures) == ("val | top1 0.5", {"top1": (0.5, 0.25, None)})
    other = about_checkpoint(file.with_name("step_00000024.pt"), lists)
    assert other is not None
    assert other.figures == {}
    (tmp_path / "test" / "results.json").write_text("{")
    assert about_checkpoint(file, {}) is None
