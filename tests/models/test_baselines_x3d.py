import pytest
import torch
from torch import nn

from vidtok.errors import ModelError
from vidtok.models.baselines_pytorchvideo import X3D, MViTv1, Slow, SlowFast, StageTokens, library

TINY = {"classes": 5, "frames": 4, "size": (64, 96), "width_factor": 1.0, "depth_factor": 0.4}


def test_x3d_gives_the_logits_behind_the_library_s_scores():
    torch.manual_seed(0)
    ours, theirs = X3D(classes=400, frames=4, size=160).eval(), library("hub").x3d_xs().eval()
    theirs.load_state_dict(ours.body.state_dict())
    clip = torch.randn(1, 4, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(ours(clip).softmax(-1), theirs(clip.transpose(1, 2)))


@pytest.mark.parametrize(
    ("name", "cls", "options"),
    [
        ("x3d_l", X3D, {"depth_factor": 5.0, "size": 312}),
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


def test_published_mvit_checkpoints_fit():
    ours, theirs = MViTv1(classes=400).body.state_dict(), library("hub").mvit_base_16x4().state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


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
    with pytest.raises(ModelError, match=r"frames=15.*even number of frames"):
        MViTv1(classes=5, frames=15)
    with pytest.raises(ModelError, match=r"\(224, 226\).*multiples of 4"):
        MViTv1(classes=5, size=(224, 226))
    for wrong in (StageTokens(after_stage=0), StageTokens(after_stage=5), StageTokens(depth=0)):
        with pytest.raises(ModelError, match=r"token_learner\.after_stage to 1 … 4 .*depth to 1 or more"):
            X3D(**TINY, token_learner=wrong)
    with pytest.raises(ModelError, match="heads"):
        X3D(**TINY, token_learner=StageTokens(heads=7))


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(("stage", "width", "grid"), [(1, 16, (16, 24)), (2, 24, (8, 12)), (4, 96, (2, 3))])
def test_token_learner_stands_behind_a_stage_of_x3d(stage, width, grid, version):
    tokens = StageTokens(after_stage=stage, tokens=3, version=version, depth=2)
    network = X3D(**TINY, token_learner=tokens).eval()
    seen = {}
    network.body.register_forward_hook(lambda _m, _i, out: seen.update(stage=out))
    network.encoder.register_forward_hook(lambda _m, inputs, out: seen.update(grid=inputs[0], tokens=out))
    network(torch.randn(2, 4, 3, 64, 96))
    assert network.grid == (4, *grid)
    assert torch.equal(seen["grid"], seen["stage"].permute(0, 2, 3, 4, 1))
    assert seen["grid"].shape == (2, 4, *grid, width)
    assert seen["tokens"].shape == (2, 4, 3, width)
    assert len(network.encoder.blocks) == 2
    assert len(network.body.blocks) == 1 + stage


def test_the_stages_before_token_learner_are_those_of_x3d():
    plain, tokens = X3D(**TINY), X3D(**TINY, token_learner=StageTokens(after_stage=3))
    kept = {key: value.shape for key, value in plain.body.state_dict().items() if int(key.split(".")[1]) <= 3}
    assert {key: value.shape for key, value in tokens.body.state_dict().items()} == kept


def test_what_the_tokens_look_at_can_be_shown():
    network = X3D(**TINY, token_learner=StageTokens(after_stage=2, tokens=3))
    learned, attention = network.attention(torch.randn(1, 4, 3, 64, 96))
    assert learned.maps.shape == (1, 4, 3, 8, 12)
    assert attention.maps.shape == (1, 4, 8, 12)
    torch.testing.assert_close(learned.maps.sum((-2, -1)), torch.ones(1, 4, 3))
