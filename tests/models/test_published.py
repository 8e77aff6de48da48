"""Published figures belong to models that exist, say where they come from, and are what these models come to."""

import pytest
import torch

from vidtok.models.create import create_model
from vidtok.models.presets import PRESETS
from vidtok.models.published import PUBLISHED

PARAMETERS = {name: facts.parameters for name, facts in PUBLISHED.items() if facts.parameters is not None}


def test_every_figure_has_a_model_and_a_source():
    assert PUBLISHED.keys() <= PRESETS.keys()
    for name, facts in PUBLISHED.items():
        assert facts.source, name
        assert facts.parameters is not None or facts.macs is not None, name


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_model(name):
    options = {"dist_head": True} if name.startswith("casvit") else {}
    classes = 1000 if name.startswith(("stvit", "maxvit", "casvit")) else 400
    with torch.device("meta"):
        model = create_model(name, classes=classes, **options)
    counted = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert counted / 1e6 == pytest.approx(PARAMETERS[name], rel=0.02)
