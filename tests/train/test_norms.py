"""Batch norms that keep their statistics."""

import pytest
import torch
from torch import nn

from vidtok.errors import ConfigError
from vidtok.nn.conv import GridBatchNorm
from vidtok.train.norms import synchronise_norms, training_mode


def two_norms():
    torch.manual_seed(0)
    return nn.Sequential(GridBatchNorm(4), nn.Dropout(0.5), GridBatchNorm(4))


def moved(model):
    """Which of the two norms took up statistics in a training pass."""
    before = [norm.norm.running_mean.clone() for norm in (model[0], model[2])]
    model(torch.randn(2, 1, 3, 3, 4) + 1)
    return [
        not torch.equal(old, norm.norm.running_mean) for old, norm in zip(before, (model[0], model[2]), strict=True)
    ]


def test_statistics_move_in_training():
    model = two_norms()
    training_mode(model)
    assert moved(model) == [True, True]


def test_frozen_statistics_stay_and_are_used():
    model = two_norms()
    training_mode(model, frozen_statistics=True)
    assert moved(model) == [False, False]
    assert model[1].training
    x = torch.randn(2, 1, 3, 3, 4)
    assert torch.allclose(model[0](x), x / (1 + 1e-5) ** 0.5)  # mean 0 and variance 1, as at the start


def test_a_norm_with_frozen_weights_keeps_its_statistics():
    model = two_norms()
    model[2].requires_grad_(False)
    training_mode(model)
    assert moved(model) == [True, False]


def test_an_empty_share_of_a_step_spoils_no_statistics():
    model = two_norms()
    training_mode(model)
    model(torch.randn(0, 1, 3, 3, 4)).sum().backward()
    assert all(bool(buffer.isfinite().all()) for buffer in model.buffers())


def test_synchronised_norms_need_a_gpu():
    with pytest.raises(ConfigError, match=r"`batch_norm`=sync: .* give `batch_norm`=train"):
        synchronise_norms(two_norms(), device=torch.device("cpu"))


@pytest.mark.gpu
def test_norms_are_synchronised_on_a_gpu():
    model = two_norms()
    synchronise_norms(model, device=torch.device("cuda"))
    assert isinstance(model[0].norm, nn.SyncBatchNorm)
    assert set(model.state_dict()) == set(two_norms().state_dict())
