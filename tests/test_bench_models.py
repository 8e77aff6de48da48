"""The benchmark of networks: its own peers compute the same as the networks, and its table and file hold every form."""

import json
import sys

import pytest
import torch

from tests.conftest import ROOT
from tests.models.families import TINY, tiny
from tests.opened import opened


@pytest.fixture
def bench():
    with opened(ROOT / "tools" / "bench_models.py") as module:
        yield module


def pairs(bench, family):
    """A small network of ours, and the peer that the benchmark has for its kind, with the same weights."""
    sizes = TINY[family][1]
    options = {key: sizes[key] for key in ("widths", "depths", "heads", "cells", "projection") if key in sizes}
    network = tiny(family, frames=1, **({"layer_scale": (None,) * 4} if family == "stvit" else {})).float()
    peer = {"casvit": bench.PlainCASViT, "stvit": bench.PlainSTViT}[family](classes=5, **options).eval()
    bench.take_in_order(peer, network)
    return bench.Pair(network=network, peer=peer, peer_takes=bench.picture, batch=2)


@pytest.mark.slow
def test_every_form_stands_in_the_table_and_in_the_file(bench, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        bench, "ROWS", {"casvit_xs": lambda: pairs(bench, "casvit"), "stvit_s": lambda: pairs(bench, "stvit")}
    )
    threads = torch.get_num_threads()
    arguments = ["--repeats", "1", "--clock", "cpu", "--json", str(tmp_path / "models.json")]
    monkeypatch.setattr(sys, "argv", ["bench_models", *arguments, "--threads", str(threads)])
    bench.main()
    rows = json.loads((tmp_path / "models.json").read_text())["rows"]
    assert [(row["network"], row["form"]) for row in rows] == [
        (name, form) for name in ("casvit_xs", "stvit_s") for form in bench.FORMS
    ]
    assert all(row["difference"] < 1e-5 for row in rows)
    assert rows[0]["times_peer"] == 1
    assert capsys.readouterr().out.count("\n| ") == 11


def test_other_weights_are_no_peer(bench, monkeypatch):
    pair = pairs(bench, "casvit")
    with torch.no_grad():
        pair.network.head.bias[0] += 5
    monkeypatch.setattr(bench, "ROWS", {"casvit_xs": lambda: pair})
    monkeypatch.setattr(sys, "argv", ["bench_models", "--repeats", "1", "--forms", "peer", "eager", "--threads", "1"])
    with pytest.raises(SystemExit, match=r"casvit_xs: eager is .* away from peer"):
        bench.main()
    assert float(bench.peak_mib(lambda: torch.ones(2**24))) > 60
