import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.models.test_baselines import SMALL, clips, small
from vidtok.models.baselines_cost import FOREIGN, foreign_macs
from vidtok.models.cost import count_cost


@pytest.mark.parametrize("name", SMALL)
def test_multiply_adds_are_those_that_the_tracer_sees(name):
    network, options = small(name).eval(), SMALL[name]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(clips(name, count=1))
    assert count_cost(network, frames=options["frames"], size=options["size"])[""].macs * 2 == counter.get_total_flops()


def test_each_entry_is_a_layer_of_a_baseline():
    """A library that moves its classes would make the count silently wrong."""
    modules = [module for name in SMALL for module in small(name).modules()]
    kinds = {f"{type(module).__module__}.{type(module).__qualname__}" for module in modules}
    assert set(FOREIGN) <= kinds


def test_other_layers_add_nothing():
    assert foreign_macs(nn.Linear(3, 4), (torch.zeros(2, 3),)) == 0
