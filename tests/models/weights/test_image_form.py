"""Fitting image tensors to a network for clips."""

import pytest
import torch
from torch import nn

from tests.models.families import tiny
from vidtok.errors import CheckpointError
from vidtok.models.weights.image_form import fit, load_renamed, unwrap
from vidtok.models.weights.transfer import Transfer

ANY = Transfer(nn.Identity(), {})


def counted(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).view(shape)


def test_every_form_of_tensor():
    assert fit(ANY, counted(4, 3, 1, 1), (4, 3), source="a").tolist() == counted(4, 3).tolist()
    assert fit(ANY, counted(1, 4, 1, 1), (4,), source="a").tolist() == [0, 1, 2, 3]
    kernel = fit(ANY, counted(4, 1, 3, 3), (4, 1, 5, 3, 3), source="a")
    assert kernel[:, :, 2].tolist() == counted(4, 1, 3, 3).tolist()
    assert float(kernel.abs().sum()) == float(counted(4, 1, 3, 3).sum())
    assert fit(ANY, counted(4, 1, 1, 3, 3), (4, 1, 5, 3, 3), source="a").tolist() == kernel.tolist()
    table = fit(ANY, counted(2, 3, 5), (2, 3, 3, 5), source="a")
    assert table[:, 2].tolist() == counted(2, 3, 5).tolist()
    assert fit(ANY, counted(2, 1, 3, 5), (2, 3, 3, 5), source="a").tolist() == table.tolist()
    assert fit(ANY, counted(5), (4,), source="a").shape == (5,)


def test_the_same_network_takes_its_own_weights_unchanged():
    source, target = tiny("maxvit"), tiny("maxvit")
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.zero_()
    report = load_renamed(target, source.state_dict(), rename=str)
    assert set(report.used) == set(source.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_networks_of_other_sizes_are_refused():
    with pytest.raises(CheckpointError, match=r"does not fit 'stem"):
        load_renamed(tiny("casvit"), tiny("stvit").state_dict(), rename=str)


def test_a_wrapper_is_taken_off():
    inner = {"a": torch.zeros(1)}
    assert unwrap({"model": {"a": torch.ones(1)}, "model_ema": inner}, where="x") == inner
    assert unwrap(inner, where="x") == inner
    with pytest.raises(CheckpointError, match=r"x: these entries are no tensors: epoch"):
        unwrap({"epoch": 3}, where="x")
