"""Published figures are those of the very models that stand under their names, and say where they come from."""

import re
from decimal import Decimal

import pytest
import torch

from tests.models.costs import COSTS
from vidtok.models.cost import count_cost
from vidtok.models.create import create_model
from vidtok.models.presets import PRESETS
from vidtok.models.published import CASVIT, PUBLISHED


def last_place(value: float) -> float:
    """One unit of the last decimal that a figure is given with: 1 of 25, 0.1 of 88.9."""
    exponent = Decimal(f"{value:g}").as_tuple().exponent
    assert isinstance(exponent, int)
    return 10.0 ** min(exponent, 0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_figure_is_that_of_the_model_of_its_name(name):
    """Parameters to the last decimal that is given; multiply-adds, which papers count in their own ways, to 1.5 %."""
    stated, preset = PUBLISHED[name], PRESETS[name]
    frames, size = stated.frames or preset.frames, stated.size or preset.size
    if (frames, size) == (preset.frames, preset.size) and stated.source != CASVIT:
        parameters, macs = COSTS[name]  # which test_cost counts
    else:
        with torch.device("meta"):
            options = {"dist_head": True} if stated.source == CASVIT else {}
            network = create_model(name, frames=frames, size=size, **options).network
        cost = count_cost(network, frames=frames, size=size)[""]
        parameters, macs = cost.parameters, cost.macs
    assert (stated.parameters, stated.macs) != (None, None)
    if stated.parameters is not None:
        assert parameters / 1e6 == pytest.approx(stated.parameters, abs=last_place(stated.parameters))
    if stated.macs is not None:
        assert macs / 1e9 == pytest.approx(stated.macs, rel=0.015)


def test_every_source_can_be_looked_up():
    assert PUBLISHED.keys() <= PRESETS.keys()
    for name, stated in PUBLISHED.items():
        assert re.match(r"arXiv \d{4}\.\d{5}|(PySlowFast|PyTorchVideo) model zoo$|torchvision$", stated.source), name


def test_a_clip_is_stated_where_it_is_not_the_models_own():
    for name, stated in PUBLISHED.items():
        preset = PRESETS[name]
        assert stated.frames != preset.frames, name
        assert stated.size != preset.size, name


@pytest.mark.parametrize(("value", "unit"), [(25.0, 1.0), (88.9, 0.1), (3.20, 0.1), (21.76, 0.01)])
def test_the_last_decimal(value, unit):
    assert last_place(value) == pytest.approx(unit)
