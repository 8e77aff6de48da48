"""`vidtok convert`: what it hands to run_convert."""

import pytest

from tests.cli.handed import done, hand_to, refused, told_as, usage


@pytest.fixture
def work(monkeypatch):
    return hand_to(monkeypatch, "vidtok.runs.convert", "run_convert")


def test_what_it_takes():
    assert usage("convert") == (
        "convert [-h] --to OUT.safetensors [--model NAME] [--classes FILE] [--source-grid TxHxW] [--encoder ENCODER] "
        "[--protocol NAME] IN"
    )


def test_a_file_alone(work):
    done("convert", "weights.pth", "--to", "own.safetensors")
    assert work.take() == {
        "source": "weights.pth",
        "to": "own.safetensors",
        "model": None,
        "classes": None,
        "source_grid": None,
        "encoder": None,
        "protocol": None,
    }


def test_all_options(work):
    done(
        "convert",
        *("weights.pth", "--to", "own.safetensors", "--model", "vivit_b", "--classes", "classes.txt"),
        *("--source-grid", "16x14x12", "--encoder", "facebook/vjepa2", "--protocol", "ssv2"),
    )
    assert work.take() == {
        "source": "weights.pth",
        "to": "own.safetensors",
        "model": "vivit_b",
        "classes": "classes.txt",
        "source_grid": (16, 14, 12),
        "encoder": "facebook/vjepa2",
        "protocol": "ssv2",
    }


def test_what_cannot_be_is_told(work):
    assert refused("convert", "weights.pth") == "the following arguments are required: --to"
    words = ("convert", "weights.pth", "--to", "own.safetensors")
    assert refused(*words, "--source-grid", "16x14").startswith("--source-grid 16x14: time steps, rows and columns")
    assert work.calls == []
    assert told_as(work, "source_grid", *words) == "--source-grid"
