"""STViT's own rules."""

import pytest

from tests.models.families import TINY, tiny
from vidtok.errors import ModelError
from vidtok.models.stvit import SIZES, STViT


def test_layer_scale_stands_where_it_is_asked_for():
    network = tiny("stvit", layer_scale=(None, None, 1e-6, 1e-6))
    assert [blocks[0].mixer_scale is not None for blocks in network.stages] == [False, False, True, True]
    _, sizes = TINY["stvit"]
    fresh = STViT(classes=5, **{**sizes, "layer_scale": SIZES["stvit_base"]["layer_scale"]})
    assert fresh.stages[3][0].mlp_scale.unique().tolist() == pytest.approx([1e-6])


def test_cells_over_time_do_not_go_with_per_time_step():
    with pytest.raises(ModelError, match=r"cells of one time step, got cells=\(\(2, 4, 4\)"):
        tiny("stvit", per_time_step=True, cells=((2, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1)))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ModelError, match="3 heads do not divide a width of 16"):
        tiny("stvit", heads=(1, 3, 3, 4))
