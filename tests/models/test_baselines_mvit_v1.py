"""The first MViT: published weights fit, and clips that its tokens do not fill are refused."""

import pytest

from tests.models.contract import keeps_the_contract, looks_where_the_mark_is
from vidtok.errors import ModelError
from vidtok.models.baselines_mvit_v1 import MViTv1
from vidtok.models.pytorchvideo_parts import library


def test_published_mvit_checkpoints_fit():
    ours, theirs = MViTv1(classes=400).body.state_dict(), library("hub").mvit_base_16x4().state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


def test_clips_that_the_tokens_do_not_fill_are_refused():
    with pytest.raises(ModelError, match=r"frames=15.*even number of frames"):
        MViTv1(classes=5, frames=15)
    with pytest.raises(ModelError, match=r"\(224, 226\).*multiples of 4"):
        MViTv1(classes=5, size=(224, 226))


def test_the_contract():
    keeps_the_contract("mvit_v1")
    looks_where_the_mark_is("mvit_v1")
