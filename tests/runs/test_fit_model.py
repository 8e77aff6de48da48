"""The models that fit makes."""

import pytest
import torch

from tests.runs.own_clips import ENCODER, encoder_file
from vidtok.models.encoders import find_encoder
from vidtok.models.summary_network import summaries
from vidtok.runs.fit_model import SUMMARIES, encoder_model, linear_model
from vidtok.train.nested import Videos
from vidtok.train.probe import fit_probe, parts_of


def test_every_union_of_the_parts_is_chosen_from_and_mean_is_in_none():
    parts = {name for name in SUMMARIES if "_" not in name}
    assert parts == {"mean", "time", "maps", "motion"}
    unions = {frozenset(name.split("_")) for name in SUMMARIES}
    assert len(unions) == len(SUMMARIES) == 8
    assert all(len(union) == 1 for union in unions if "mean" in union)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return find_encoder(f"{ENCODER}={encoder_file(tmp_path_factory.mktemp('encoder') / 'e.safetensors')}")


def test_an_encoder_begins_with_a_layer_of_zeros_and_its_own_pixels(weights):
    model = encoder_model(weights, ["a", "b"], summary="mean", frames=2, kind="sigmoid")
    assert not model.training
    assert model.feeding.scores == "sigmoid"
    assert model.normalisation == (weights.mean, weights.std)
    assert not model.network.head.weight.any()
    assert all(torch.equal(model.network.body.state_dict()[key], value) for key, value in weights.state.items())


def test_a_model_gives_the_logits_of_the_probe_that_its_rows_made(weights):
    """The features are the encoder's own, so that the whole model can be held against the linear layer on them."""
    model = encoder_model(weights, ["a", "b"], summary="mean", frames=3, kind="softmax")
    torch.manual_seed(0)
    clips = torch.randint(0, 256, (12, 3, 3, 224, 224), dtype=torch.uint8)
    clips[::2, :, 0] //= 4
    with torch.no_grad():
        features = {name: x.double() for name, x in summaries(*model.network.maps(model.normalise(clips))).items()}
    videos = Videos(
        labels=[(k % 2,) for k in range(12)], groups=range(12), folds=[k // 6 for k in range(12)], classes=2
    )
    rows = list(range(8))
    choice, made = linear_model(weights, ["a", "b"], features, videos, rows, frames=3, kind="softmax", seed=0)
    own = {name: x[:8] for name, x in features.items()}
    wanted, layer = fit_probe(own, videos.targets[:8], videos.choosing(rows, seed=0), among=SUMMARIES)
    assert choice == wanted
    assert made.network.summary == choice.features
    with torch.no_grad():
        wanted_logits = layer(torch.cat(parts_of(features, choice.features), dim=1))
        torch.testing.assert_close(made(clips).double(), wanted_logits, rtol=1e-3, atol=1e-3)
