"""Networks of vidtok's own as encoders: their tokens as a grid, and no parameter that no gradient reaches."""

import pytest
import torch

from tests.models.contract import keeps_the_contract
from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.encoder import PictureEncoder
from vidtok.models.encoders import own_encoder
from vidtok.models.own_encoder import OwnEncoder
from vidtok.models.vivit import ViViT
from vidtok.runs.fit_model import encoder_model

VIVIT = {"tubelet": [2, 8, 8], "width": 12, "depth": 2, "heads": 2}
CLIP = {"frames": 4, "size": (16, 24)}


def clip(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 4, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def own(**options) -> OwnEncoder:
    torch.manual_seed(0)
    network = OwnEncoder(classes=3, network="vivit", options={**VIVIT, **options}, trained_blocks=None, **CLIP)
    return network.eval()


def test_maps_are_the_network_s_tokens_and_those_of_its_middle():
    network, x = own(), clip()
    with torch.no_grad():
        last, middle = network.maps(x)
        assert torch.equal(last, network.body.features(x))
        (wanted,) = network.body.features(x, depths=[1])
    assert torch.equal(middle, wanted)
    assert network.grid == (2, 2, 3)
    assert network.middle == 1


def test_a_class_token_is_left_out_and_learned_tokens_are_a_row():
    network, x = own(pool="cls"), clip()
    with torch.no_grad():
        last, _ = network.maps(x)
        wanted = network.body.features(x)[:, 1:]
    assert torch.equal(last.flatten(1, 3), wanted)
    network = own(token_learner={"after_block": 1, "tokens": 3})
    with torch.no_grad():
        last, middle = network.maps(x)
        assert torch.equal(last[:, :, 0], network.body.features(x))
    assert (last.shape, middle.shape) == ((2, 2, 1, 3, 12), (2, 2, 2, 3, 12))


def test_weights_behind_the_tokens_are_no_parameters():
    network = own(pre_logits=8)
    names, state = dict(network.named_parameters()), network.state_dict()
    unused = {"body.head.logits.weight", "body.head.pre_logits.weight"} & state.keys()
    assert unused
    assert not unused & names.keys()
    network.logits(clip()).sum().backward()
    network.head.weight.data.fill_(1.0)
    network.logits(clip()).square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.any() for name, parameter in names.items() if "bias" not in name
    )


def test_tokens_that_are_no_grid_are_refused():
    with pytest.raises(ModelError, match="cannot serve as an encoder: its tokens are no grid"):
        own()._gridded(torch.zeros(1, 5, 12))


def classifier(classes: int = 5) -> Classifier:
    torch.manual_seed(1)
    plan = Architecture(network="vivit", options=VIVIT, **CLIP)
    names = tuple(f"n{k}" for k in range(classes))
    return Classifier(
        plan.build(classes=classes), mean=(0.1, 0.2, 0.3), std=(0.4,) * 3, classes=names, architecture=plan
    )


def test_a_trained_model_gives_its_encoder_whatever_its_classes_were():
    model = classifier().eval()
    found = own_encoder(model, name="mine", source="runs/mine")
    assert (found.frames, found.size, found.mean) == (4, (16, 24), (0.1, 0.2, 0.3))
    fitted = encoder_model(found, ("a", "b"), summary="mean", frames=4, kind="softmax")
    x = clip()
    with torch.no_grad():
        assert torch.equal(fitted.network.features(x), model.network.features(x))
    assert isinstance(model.network, ViViT)
    again = own_encoder(fitted, name="again", source="runs/again")
    assert (again.network, again.options) == ("own", found.options), "an encoder's encoder is the encoder"
    assert again.state.keys() == found.state.keys()


def test_a_fitted_model_of_pictures_takes_any_number_of_frames():
    plan = Architecture(network="encoder", options={"encoder": "test_vit", "summary": "maps"}, frames=2, size=64)
    network = plan.build(classes=2)
    model = Classifier(network, mean=(0.5,) * 3, std=(0.5,) * 3, classes=("a", "b"), architecture=plan)
    found = own_encoder(model, name="mine", source="runs/mine")
    assert (found.frames, found.network, found.options) == (None, "encoder", {"encoder": "test_vit"})
    assert isinstance(network, PictureEncoder)
    assert found.state.keys() == network.body.state_dict().keys()


def test_the_contract():
    keeps_the_contract("own")
