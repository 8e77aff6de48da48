"""The same bits each time, or a word about the layer that cannot."""

import os

import pytest
import torch

from tests.models.families import TINY, clips, tiny
from vidtok.errors import TrainingError
from vidtok.train.determinism import deterministic


def settings():
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def test_it_holds_within_the_context_alone(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = settings()
    with deterministic(False):
        assert settings() == before
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with deterministic(True):
        assert settings() == (True, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert settings() == before


def test_a_layer_without_such_an_algorithm_is_named():
    words = "max_pool3d_backward_cuda does not have a deterministic implementation, but you set 'torch.use_"
    with pytest.raises(
        TrainingError, match=r"`deterministic`: max_pool3d_backward_cuda does not have .*implementation;"
    ):
        with deterministic(True):
            raise RuntimeError(words)
    before = settings()
    with pytest.raises(RuntimeError, match="another"), deterministic(True):
        raise RuntimeError("another")
    assert settings() == before


@pytest.mark.parametrize("family", TINY)
def test_every_family_has_such_algorithms(family):
    with deterministic(True):
        network = tiny(family).train()
        network(clips(1, count=2)).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
