"""SlowFast and its slow pathway: published weights fit, and each pathway sees its frames."""

import pytest
import torch
from torch import nn

from tests.models.contract import keeps_the_contract
from vidtok.errors import ModelError
from vidtok.models.baselines_slowfast import Slow, SlowFast
from vidtok.models.pytorchvideo_parts import library


@pytest.mark.parametrize(
    ("name", "cls", "options"),
    [
        ("slow_r50", Slow, {}),
        ("slowfast_r50", SlowFast, {}),
        ("slowfast_r101", SlowFast, {"depth": 101, "fusion_kernel": 5}),
    ],
)
def test_published_checkpoints_fit(name, cls, options):
    with torch.device("meta"):
        ours, theirs = cls(classes=400, **options).body, getattr(library("hub"), name)()
    # A new head's window has no weights, so only names and shapes can differ.
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


class Taken(nn.Module):
    """Keeps what it is called with."""

    def forward(self, pathways):
        self.pathways = pathways
        return torch.zeros(1, 5)


@pytest.mark.parametrize(("frames", "alpha"), [(32, 4), (32, 8), (16, 4), (8, 8), (6, 2), (4, 1)])
def test_the_slow_pathway_sees_every_alpha_th_frame_and_the_fast_one_all(frames, alpha):
    network = SlowFast(classes=5, frames=frames, size=32, alpha=alpha)
    network.body = Taken()
    x = torch.arange(frames * 3 * 32 * 32, dtype=torch.float32).view(1, frames, 3, 32, 32)
    network(x)
    slow, fast = network.body.pathways
    kept = torch.linspace(0, frames - 1, frames // alpha, dtype=torch.float64).long()
    assert torch.equal(fast, x.transpose(1, 2))
    assert torch.equal(slow, x.transpose(1, 2)[:, :, kept])
    assert network.grid == (frames // alpha, 1, 1)
    assert "slow_frames" not in network.state_dict()


def test_what_does_not_fit_is_said():
    with pytest.raises(ModelError, match=r"alpha=4 does not divide 30 frames; these do: 1, 2, 3, 5"):
        SlowFast(classes=5, frames=30)
    with pytest.raises(ModelError, match="fusion_kernel=4"):
        SlowFast(classes=5, fusion_kernel=4)


def test_the_contract():
    keeps_the_contract("slowfast")
