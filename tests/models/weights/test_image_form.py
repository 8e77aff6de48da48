"""Fitting image tensors to a network for clips."""

import pytest
import torch
from torch import nn

from tests.models.families import tiny
from vidtok.errors import CheckpointError
from vidtok.models.weights.image_form import TRAINING_KEYS, fit, load_renamed, unwrap
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


class Linear(nn.Module):
    """What a hierarchical network has of each kind."""

    def __init__(self, classes: int = 3):
        super().__init__()
        self.body = nn.Linear(2, 4)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes)


def test_what_was_changed_is_told_and_what_was_not_is_not():
    transfer = Transfer(nn.Identity(), {})
    fit(transfer, counted(4, 1, 3, 3), (4, 1, 1, 3, 3), source="one")
    fit(transfer, counted(2, 3, 5), (2, 1, 3, 5), source="table")
    assert not transfer.finish().resized
    transfer = Transfer(nn.Identity(), {})
    fit(transfer, counted(4, 1, 3, 3), (4, 1, 2, 3, 3), source="two")
    fit(transfer, counted(2, 3, 5), (2, 3, 3, 5), source="three")
    wide = fit(transfer, counted(1, 3, 3), (1, 1, 5, 5), source="wide")
    told = "\n".join(map(str, transfer.finish().resized))
    assert "inflated to 2 time steps, central" in told
    assert "bias table repeated at 3 distances in time" in told
    assert "bias table 3 × 3 -> 5 × 5" in told
    # Endpoint on endpoint: corners stay, and between two values stands their mean.
    assert wide[0, 0].tolist()[0] == pytest.approx([0, 0.5, 1, 1.5, 2])
    assert wide[0, 0, 4, 4] == 8


def test_heads_of_other_classes_and_what_is_skipped():
    source, target = Linear(5), Linear(3)
    state = source.state_dict() | {"old": torch.zeros(1)}
    del state["norm.num_batches_tracked"]
    start = target.head.weight.clone()
    report = load_renamed(
        target,
        state,
        rename=lambda key: None if key == "old" else key,
        relayout=lambda key, tensor: tensor + 1 if key == "body.bias" else tensor,
        changed={"body.bias": "one more"},
        skip={"old": "an old one"},
    )
    assert torch.equal(target.head.weight, start)
    assert torch.equal(target.body.bias, source.body.bias + 1)
    assert [line for line in report.skipped if "a head of 5 classes; the network's is (3, 4)" in line]
    assert [line for line in report.skipped if "old" in line and "an old one" in line]
    assert ["body.bias" in line and "one more" in line for line in report.resized] == [True]
    with pytest.raises(CheckpointError, match="old"):
        load_renamed(Linear(5), state, rename=lambda key: None if key == "old" else key)
    del state["body.weight"], state["old"]
    with pytest.raises(CheckpointError, match=r"body\.weight"):
        load_renamed(Linear(5), state, rename=str)


def test_wrappers_in_wrappers_come_off():
    inner = {"a": torch.zeros(1)}
    assert unwrap({"ema": {"module": inner, "step": 3}, "model": {"a": torch.ones(1)}}, where="x") == inner
    for name in TRAINING_KEYS:
        assert unwrap({name: inner, "epoch": 3}, where="x") == inner
