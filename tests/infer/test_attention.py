"""A clip's attention as frames, for a network with and without learned tokens."""

import pytest
import torch

from vidtok.infer.attention import attention_clip
from vidtok.models.classifier import Classifier
from vidtok.models.vivit import ViViT
from vidtok.nn.token_learner import TokenLearnerOptions


@pytest.mark.parametrize(("tokens", "columns"), [(None, 2), (3, 5)])
def test_as_many_frames_as_the_clip_and_a_panel_for_each_token(tokens, columns):
    options = None if tokens is None else TokenLearnerOptions(after_block=1, tokens=tokens)
    network = ViViT(
        classes=2, frames=4, size=16, tubelet=(2, 8, 8), width=16, depth=2, heads=2, token_learner=options
    )  # fmt: skip
    model = Classifier(network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=("left", "right"))
    out = attention_clip(model, torch.zeros(4, 3, 16, 16, dtype=torch.uint8), heading="clip.mp4")
    assert len(out) == 4
    assert out.shape[3] == columns * (224 + 8) + 8
