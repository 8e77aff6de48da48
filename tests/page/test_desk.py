"""What the server holds: models by name, samples by place, titles."""

from pathlib import Path

import pytest

pytest.importorskip("starlette")
from vidtok.page.desk import free_name, model_name, sample_title


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("runs/own", "own"),
        ("runs/own/model", "own"),
        ("runs/own/checkpoints", "own"),
        ("runs/own/checkpoints/best.pt", "best"),
        ("own.safetensors", "own"),
        ("a/b.onnx", "b"),
        ("someone/model", "someone"),
        ("someone/net-2.1", "net-2.1"),
        ("model", "model"),
    ],
)
def test_a_model_is_called_by_its_run(source, name):
    assert model_name(source) == name


def test_a_name_that_is_taken_gets_a_number():
    taken = {"own": 1, "own 2": 1}
    assert free_name("own", taken) == "own 3"
    assert free_name("other", taken) == "other"


def test_a_sample_is_called_by_its_file():
    assert sample_title(Path("a/people_who_wave.mp4")) == "people who wave"
    assert sample_title(Path("a/\n\x1b.mp4")) == "sample"
