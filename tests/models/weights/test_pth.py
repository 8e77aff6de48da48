"""Official `.pth` files: averaged weights first, and no code."""

import argparse
import os

import pytest
import torch

from tests.golden.case import Case
from vidtok.errors import CheckpointError
from vidtok.models.casvit import CASViT
from vidtok.models.stvit import STViT
from vidtok.models.weights.casvit import load_casvit
from vidtok.models.weights.pth import read_pth
from vidtok.models.weights.stvit import load_stvit

STVIT = {
    "widths": (8, 16, 24, 32),
    "depths": (1, 2, 2, 1),
    "heads": (1, 2, 3, 4),
    "cells": ((1, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1)),
    "projection": 48,
    "layer_scale": (None, None, 1e-6, 1e-6),
}
CASVIT = {"widths": (8, 12, 16, 20), "depths": (1, 2, 1, 1)}
NETWORKS = {"stvit_tiny": (STViT, STVIT, load_stvit), "casvit_tiny": (CASViT, CASVIT, load_casvit)}


def wrapped(case, folder, *names):
    """A file as the authors' training scripts write it, with the weights under `names`."""
    path = folder / "checkpoint.pth"
    states = {name: case.state(seed_offset=offset) for offset, name in enumerate(("model", "model_ema"))}
    content = {name: {key: torch.from_numpy(v) for key, v in states[name].items()} for name in names}
    torch.save({**content, "epoch": 3, "optimizer": {"state": {}}, "args": argparse.Namespace(lr=0.1)}, path)
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_averaged_weights_come_first_and_give_the_recorded_output(name, golden_folder, tmp_path):
    case = Case.read(golden_folder / f"{name}.json")
    cls, sizes, load = NETWORKS[name]
    images = case.inputs()[0].unsqueeze(1)
    for names, output in ((("model", "model_ema"), "output_model_ema"), (("model",), "output")):
        network = cls(classes=10, **{**sizes, "size": tuple(images.shape[-2:])}).eval()
        load(network, read_pth(wrapped(case, tmp_path, *names)))
        with torch.no_grad():
            torch.testing.assert_close(network(images), torch.from_numpy(case.want[output]), rtol=1e-5, atol=2e-5)


def test_a_file_without_a_wrapper(tmp_path):
    torch.save({"head.weight": torch.ones(2, 3)}, tmp_path / "bare.pth")
    assert read_pth(tmp_path / "bare.pth")["head.weight"].shape == (2, 3)


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {}, "args": RunsCode()}, "bad.pth")
    with pytest.raises(CheckpointError, match=r"bad.pth cannot be read as weights"):
        read_pth(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_missing_damaged_and_strange_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pth cannot be read"):
        read_pth(tmp_path / "none.pth")
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 not much of a file")
    with pytest.raises(CheckpointError, match=r"cut\.pth cannot be read"):
        read_pth(tmp_path / "cut.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        read_pth(tmp_path / "list.pth")
    torch.save({"model": {"head.weight": "ones"}}, tmp_path / "text.pth")
    with pytest.raises(CheckpointError, match=r"no tensors: head.weight"):
        read_pth(tmp_path / "text.pth")
