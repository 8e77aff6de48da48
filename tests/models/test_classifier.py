import pytest
import torch

from tests.models.per_colour import PerColour
from vidtok.errors import ModelError
from vidtok.models.classifier import Classifier

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def classifier(frames=4, size=(5, 6)):
    return Classifier(PerColour(frames=frames, size=size), mean=MEAN, std=STD, classes=("a", "b", "c"))


def test_pixels_are_normalised_by_colour():
    x = torch.zeros(2, 4, 3, 5, 6, dtype=torch.uint8)
    x[:, :, 0], x[:, :, 1], x[:, :, 2] = 0, 51, 255
    want = [(value / 255 - mean) / std for value, mean, std in zip((0, 51, 255), MEAN, STD, strict=True)]
    torch.testing.assert_close(classifier()(x), torch.tensor([want] * 2), rtol=1e-5, atol=1e-5)


def test_normalisation_is_not_among_the_weights():
    assert classifier().state_dict().keys() == {"network.head.weight"}
    assert classifier().classes == ("a", "b", "c")


def test_it_follows_the_precision_of_the_network():
    x = torch.randint(0, 256, (1, 2, 3, 4, 4), dtype=torch.uint8)
    assert classifier(2, 4).double()(x).dtype == torch.float64


def test_mean_and_std_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="std above 0"):
        Classifier(PerColour(frames=1, size=1), mean=MEAN, std=(1.0, 0.0, 1.0), classes=("a",))
    with pytest.raises(ModelError, match="each colour"):
        Classifier(PerColour(frames=1, size=1), mean=MEAN, std=(1.0,), classes=("a",))


def test_floats_are_refused_and_have_a_way_of_their_own():
    model = classifier()
    pixels = torch.randint(0, 256, (2, 4, 3, 5, 6), dtype=torch.uint8)
    for floats in (pixels / 255, pixels.float(), pixels.double(), pixels.long()):
        with pytest.raises(ModelError, match=rf"uint8, 0 to 255, .* got {floats.dtype}.*model.normalise\(x\)"):
            model(floats)
    floats = pixels.float().requires_grad_()
    logits = model.network(model.normalise(floats))
    torch.testing.assert_close(logits, model(pixels))
    logits.sum().backward()
    assert bool(floats.grad.any())


def test_clips_of_another_size_and_pictures_are_refused():
    for shape in ((1, 4, 3, 6, 5), (1, 3, 4, 5, 6), (4, 3, 5, 6)):
        with pytest.raises(ModelError, match=r"built for clips of b 4 3 5 6, in the order b f c y x"):
            classifier()(torch.zeros(shape, dtype=torch.uint8))
    assert classifier()(torch.zeros(0, 4, 3, 5, 6, dtype=torch.uint8)).shape == (0, 3)
