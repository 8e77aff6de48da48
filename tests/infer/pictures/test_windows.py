"""Windows: the border of the query's own window, and attention that stays within it."""

import pytest
import torch

from tests.infer.pictures.scenes import network_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.scene import Point
from vidtok.infer.pictures.windows import windows

MIXER = {"name": "multi_axis", "window": (1, 2, 4)}


def test_a_block_is_of_neighbours_and_a_grid_spread():
    block, grid = shown(windows, network_of(mixer=MIXER), point=Point(time=0.9, y=0.6, x=0.1))
    assert (block.title, grid.title) == ("block window", "grid window")
    expected = torch.zeros(2, 4, 8, dtype=torch.long)
    expected[1, 2:4, :4] = 1
    assert torch.equal(block.regions, expected)
    expected = torch.zeros(2, 4, 8, dtype=torch.long)
    expected[1, 0::2, 0::2] = 1
    assert torch.equal(grid.regions, expected)
    for panel in (block, grid):
        assert not panel.maps[panel.regions == 0].any()
        assert float(panel.maps.sum()) == pytest.approx(1, abs=1e-5)


def test_by_default_it_is_the_middle_s_and_a_layer_can_be_asked_for():
    network = network_of(mixer=MIXER)
    (panel,) = shown(windows, network, layer=1)
    assert (panel.title, panel.query) == ("block window", "the token in the middle")
    assert panel.regions[1, 2, 4] == 1


@pytest.mark.parametrize("options", [{"mixer": {"name": "mhsa"}}, {"mixer": MIXER, "size": (4, 4)}])
def test_what_has_no_windows_or_one_place_per_time_step_says_so(options):
    with pytest.raises(ModelError, match=r"^windows .*, which has no windowed attention$"):
        shown(windows, network_of(**options))
