"""A clip's attention as frames: the panels show the network's maps, in the frames that they belong to."""

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.infer.attention import attention_clip
from vidtok.infer.pictures.attention import panels_of
from vidtok.models.classifier import Classifier
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.token_learner import TokenLearnerOptions

SIZES = {"classes": 3, "frames": 4, "size": 32, "tubelet": (2, 8, 8), "width": 16, "depth": 2, "heads": 2}


def model(cls=ViViT, **options):
    torch.manual_seed(0)
    return Classifier(cls(**{**SIZES, **options}), mean=(0.5,) * 3, std=(0.5,) * 3, classes=("left", "right", "up"))


def clip():
    return torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize(("tokens", "columns"), [(None, 2), (3, 5)])
def test_as_many_frames_as_the_clip_and_a_panel_for_each_token(tokens, columns):
    options = None if tokens is None else TokenLearnerOptions(after_block=1, tokens=tokens)
    built = model(token_learner=options)
    shown = attention_clip(built, clip(), heading="clip.mp4")
    assert len(shown.pictures) == 4
    assert shown.pictures.shape[3] == columns * (224 + 8) + 8
    maps = built.attention(clip()[None])
    assert [note.split(": ")[0] for note in shown.notes] == ["attention", "token 1 … 3"][: len(maps)]
    assert [note.split(". Query")[0].split(": ", 1)[1] for note in shown.notes] == [m.place for m in reversed(maps)]


def test_a_frame_that_turns_black_changes_its_own_panels_alone():
    # Over space alone each time step is by itself, so the panels of the others stay as they are.
    built = model(FactorisedEncoderViViT, time_depth=0)
    dark = clip()
    dark[2:] = 0
    before, after = (panels_of(built.attention(each[None])[0], number=0)[0].maps for each in (clip(), dark))
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_best_classes_come_with_their_scores(kind):
    built = model().train()
    with torch.no_grad():
        built.network.head.logits.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    shown = attention_clip(built, clip(), heading="clip.mp4", kind=kind, guesses=2)
    scores = torch.tensor([0.0, 2.0, 1.0])
    scores = scores.softmax(0) if kind == "softmax" else scores.sigmoid()
    assert [name for name, _ in shown.guesses] == ["right", "up"]
    assert [score for _, score in shown.guesses] == pytest.approx([scores[1].item(), scores[2].item()], abs=1e-5)
    assert built.training


def test_a_network_with_nothing_to_show_says_so():
    with pytest.raises(ModelError, match="no layer of this network looks from one place to another"):
        attention_clip(model(mixer={"name": "mhsa", "axes": "time"}), clip(), heading="clip.mp4")
