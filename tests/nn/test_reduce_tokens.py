"""Fewer tokens for each frame: each form against plain means, and what it keeps apart."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.nn.mixers.super_token import super_tokens
from vidtok.nn.reduce_tokens import Reduction


def maps(t=3, h=5, w=4, d=6) -> torch.Tensor:
    return torch.randn(2, t, h, w, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_forms_are_means_of_places():
    x = maps()
    assert torch.equal(Reduction(form="full")(x), x.reshape(2, 3, 20, 6))
    torch.testing.assert_close(Reduction(form="mean")(x), x.mean((2, 3))[:, :, None])
    # Adaptive pooling: of five rows the middle one belongs to both halves.
    halves = [
        x[:, :, rows, columns].mean((2, 3)) for rows in (slice(0, 3), slice(2, 5)) for columns in ([0, 1], [2, 3])
    ]
    torch.testing.assert_close(Reduction(form="cells", side=2)(x), torch.stack(halves, dim=2))


def test_super_tokens_are_those_of_each_frame_by_itself():
    x = maps()
    got = Reduction(form="super_tokens", side=2)(x)
    assert got.shape == (2, 3, 4, 6)
    for t in range(3):
        want = super_tokens(x[:, t : t + 1], cells=(1, 3, 2)).reshape(2, 4, 6)
        torch.testing.assert_close(got[:, t], want, rtol=1e-12, atol=1e-12)
    assert Reduction(form="super_tokens", side=3)(x).shape[2] == 3 * 2, "rows of two, columns of two"


def test_super_tokens_follow_what_is_alike_where_a_cell_cuts_across():
    """Of two areas that share a cell half and half, the cell's mean is neither; its super token leans to one."""
    x = torch.zeros(1, 1, 4, 4, 16, dtype=torch.float64)
    x[..., :3, :8], x[..., 3:, 8:] = 3.0, 3.0
    right = [Reduction(form=form, side=2)(x)[0, 0, 1] for form in ("cells", "super_tokens")]
    lean = [float((token[:8].mean() - token[8:].mean()).abs()) for token in right]
    assert lean[0] == pytest.approx(0.0)
    assert lean[1] > 0.05


def test_names_tell_forms_apart_and_sides_that_cannot_be_are_refused():
    assert [Reduction(form=form).name for form in ("full", "mean")] == ["full", "mean"]
    assert Reduction(form="cells", side=2).name == "cells_2"
    with pytest.raises(ModelError, match="side=0"):
        Reduction(form="cells", side=0)
    with pytest.raises(ModelError, match="mean divides no grid"):
        Reduction(form="mean", side=2)
