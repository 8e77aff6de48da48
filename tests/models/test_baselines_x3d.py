"""X3D as the library builds it, and with TokenLearner behind a stage."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.models.baselines_x3d import X3D, StageTokens
from vidtok.models.pytorchvideo_parts import library

TINY = {"classes": 5, "frames": 4, "size": (64, 96), "width_factor": 1.0, "depth_factor": 0.4}


def test_x3d_gives_the_logits_behind_the_library_s_scores():
    torch.manual_seed(0)
    ours, theirs = X3D(classes=400, frames=4, size=160).eval(), library("hub").x3d_xs().eval()
    theirs.load_state_dict(ours.body.state_dict())
    clip = torch.randn(1, 4, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(ours(clip).softmax(-1), theirs(clip.transpose(1, 2)))


def test_published_checkpoints_fit():
    with torch.device("meta"):
        ours, theirs = X3D(classes=400, depth_factor=5.0, size=312).body, library("hub").x3d_l()
    # A new head's window has no weights, so only names and shapes can differ.
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_what_does_not_fit_is_said():
    for wrong in (StageTokens(after_stage=0), StageTokens(after_stage=5), StageTokens(depth=0)):
        with pytest.raises(ModelError, match=r"`token_learner\.after_stage` to 1 … 4 .*depth` to 1 or more"):
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
