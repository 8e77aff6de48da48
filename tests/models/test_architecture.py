import pytest
import torch

from vidtok.errors import ModelError
from vidtok.models.architecture import Architecture

TINY = {"widths": [8, 12, 16, 20], "depths": [1, 1, 1, 1]}


def test_it_builds_its_network():
    network = Architecture(network="casvit", options=TINY, frames=4, size=(32, 64)).build(classes=3)
    assert network.grid == (4, 1, 2)
    assert network(torch.zeros(1, 4, 3, 32, 64)).shape == (1, 3)


def test_options_are_checked():
    with pytest.raises(ModelError, match="widhts: unknown key"):
        Architecture(network="casvit", options={"widhts": [1, 2, 3, 4]}, frames=1, size=32).build(classes=3)


@pytest.mark.parametrize(
    ("network", "options", "last"),
    [
        ("casvit", TINY, {"head.weight", "head.bias"}),
        # A width that is the number of classes is no last layer; pre-logits are none either.
        (
            "vivit",
            {"width": 6, "depth": 1, "heads": 1, "tubelet": [2, 8, 8], "pre_logits": 6},
            {"head.logits.weight", "head.logits.bias"},
        ),
    ],
)
def test_last_layers_are_those_that_follow_the_classes(network, options, last):
    plan = Architecture(network=network, options=options, frames=4, size=16)
    assert plan.last_layers(plan.build(classes=6).state_dict(), classes=6) == last
