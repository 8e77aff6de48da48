"""The operations with activations and sums inside, against the same by public ones."""

import platform

import pytest
import torch
from torch import nn

from vidtok.nn import onednn
from vidtok.nn.conv import GridConv
from vidtok.nn.folded import FoldedConv, FoldedLinear

needs_onednn = pytest.mark.skipif(onednn.why_not() is not None, reason=str(onednn.why_not()))


def test_what_is_said_of_this_machine_is_true():
    why, is_x86 = str(onednn.why_not()), platform.machine() in ("x86_64", "AMD64")
    assert ("is no x86" in why) is not is_x86
    assert ("without oneDNN" in why) is (is_x86 and not torch.backends.mkldnn.is_available())
    if "results are wrong" in why:
        with torch.no_grad():
            layer, x = nn.Linear(16, 24), torch.randn(5, 16)
            assert not torch.allclose(onednn.FusedLinear(layer)(x), FoldedLinear(layer)(x), atol=1e-4)


@needs_onednn
@pytest.mark.parametrize("activation", onednn.POST_OPS)
@torch.no_grad()
def test_both_forms_of_a_layer_are_equal(activation):
    torch.manual_seed(0)
    layer, x = nn.Linear(16, 24), torch.randn(2, 1, 6, 7, 16)
    fused, added = onednn.FusedLinear(layer, activation=activation), torch.randn(2, 1, 6, 7, 24)
    for rest in ((), (added,), (added.transpose(2, 3).contiguous().transpose(2, 3),)):
        torch.testing.assert_close(fused(x, *rest), FoldedLinear(layer, activation=activation)(x, *rest))
    assert torch.equal(fused.weight, layer.weight)
    assert not fused.bias.requires_grad
    for options in ({}, {"groups": 16}, {"stride": (2, 2, 2), "same": True}, {"kernel": (3, 3, 3), "bias": False}):
        conv, grid = GridConv(16, 16, **options), torch.randn(2, 3, 6, 8, 16)
        want = FoldedConv(conv, activation=activation)(grid)
        got = onednn.FusedConv(conv, activation=activation)
        torch.testing.assert_close(got(grid), want)
        torch.testing.assert_close(got(grid, want), want + want)
        assert got(grid).is_contiguous()


@needs_onednn
def test_where_they_are_not_the_cause_is_told(monkeypatch):
    assert "bfloat16 on cpu" in onednn.why_not_for(nn.Linear(2, 2).bfloat16())
    assert "float32 on meta" in onednn.why_not_for(nn.Linear(2, 2, device="meta"))
    assert onednn.why_not_for(nn.Linear(2, 2)) is None
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "arm64")
        assert "no x86 (arm64)" in onednn.why_not.__wrapped__()
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        assert "without oneDNN" in onednn.why_not.__wrapped__()
    with monkeypatch.context() as patch:
        patch.setattr(onednn, "_ops", lambda: object())
        assert "has other operations" in onednn.why_not.__wrapped__()
    for kind in (onednn.FusedLinear, onednn.FusedConv):
        right = kind.forward

        def wrong_at_one_place(self, x, added, right=right):
            y = right(self, x, added)
            y.view(-1)[0] -= 0.5
            return y

        with monkeypatch.context() as patch:
            patch.setattr(kind, "forward", wrong_at_one_place)
            assert onednn.why_not.__wrapped__() == "their results are wrong here, by 5.0e-01"
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "AMD64")
        assert onednn.why_not.__wrapped__() is None
