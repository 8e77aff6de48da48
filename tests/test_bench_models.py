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


@pytest.fixture
def products(bench):
    return sys.modules["models_products"]


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
    assert all((row["difference"] or 0.0) < 1e-5 for row in rows)
    assert [row["form"] for row in rows if row["difference"] is None] == ["products"] * 2
    assert rows[0]["times_peer"] == 1
    shares = {row["form"]: row["of_products"] for row in rows}
    assert shares["products"] == 1
    assert 0 < shares["eager"] < 1, "a network does more than its products"
    assert capsys.readouterr().out.count("\n| ") == 1 + len(rows)


def test_products_are_those_of_the_network_on_numbers_in_the_same_order(bench, products):
    """Each once, forward and backward, with the shapes, strides and types that they had there."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3, bias=False))
    pixels = torch.randn(2, 5, 6)
    call = lambda: layers(pixels)  # noqa: E731
    with torch.no_grad():
        again = products.products_of(call)
    with products.Recorder() as recorder:
        result = again()
    given = [[tuple(arg.shape) for arg in args if hasattr(arg, "shape")] for _, args, _ in recorder.calls]
    assert given == [[(4,), (10, 6), (6, 4)], [(10, 4), (4, 3)]]
    assert recorder.calls[0][1][2].stride == (1, 6), "the weights' transpose is none in memory"
    assert result.shape == (10, 3)
    assert bool(result.isfinite().all())
    step = products.products_of(bench.with_backward(call))
    with products.Recorder() as recorder:
        step()
    assert len(recorder.calls) == 2 + 1 + 2, "forward; of weights; of the second layer's input"


def test_a_tensor_that_is_one_row_repeated_is_so_again(products):
    row = torch.ones(1, 3).expand(4, 3)
    made = products.looks(row).made()
    assert (made.shape, made.stride()) == (row.shape, row.stride())
    assert torch.equal(made[0], made[3])


def test_parts_of_a_batch_are_tried_and_give_the_whole(bench):
    pair = pairs(bench, "casvit")
    clip = torch.randn(4, *pair.network.clip[:1], 3, *pair.network.clip[1:])
    with torch.no_grad():
        calls = bench.ways(pair, clip, ("peer", "peer_parts", "eager"))
        assert list(calls) == ["peer", "peer_parts", "eager"]
        torch.testing.assert_close(calls["peer_parts"](), calls["peer"](), rtol=1e-4, atol=1e-5)
        assert "peer_parts" not in bench.ways(pair, clip[:1], ("peer", "peer_parts"))


def test_other_weights_are_no_peer(bench, monkeypatch):
    pair = pairs(bench, "casvit")
    with torch.no_grad():
        pair.network.head.bias[0] += 5
    monkeypatch.setattr(bench, "ROWS", {"casvit_xs": lambda: pair})
    monkeypatch.setattr(sys, "argv", ["bench_models", "--repeats", "1", "--forms", "peer", "eager", "--threads", "1"])
    with pytest.raises(SystemExit, match=r"casvit_xs: eager is .* away from peer"):
        bench.main()
    assert float(bench.peak_mib(lambda: torch.ones(2**24))) > 60
