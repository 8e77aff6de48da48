"""STViT's own rules."""

import pytest
import torch

from tests.models import test_inference_form as inference
from tests.models.contract import (
    gives_what_the_official_code_gave,
    is_the_same_for_inference,
    keeps_the_contract,
    looks_where_the_mark_is,
)
from tests.models.families import TINY, tiny
from vidtok.errors import ModelError
from vidtok.models.stvit import STVIT_SIZES, STViT


def test_layer_scale_stands_where_it_is_asked_for():
    network = tiny("stvit", layer_scale=(None, None, 1e-6, 1e-6))
    assert [blocks[0].mixer_scale is not None for blocks in network.stages] == [False, False, True, True]
    _, sizes = TINY["stvit"]
    fresh = STViT(classes=5, **{**sizes, "layer_scale": STVIT_SIZES["stvit_base"]["layer_scale"]})
    assert fresh.stages[3][0].mlp_scale.unique().tolist() == pytest.approx([1e-6])


def test_cells_over_time_do_not_go_with_per_time_step():
    with pytest.raises(ModelError, match=r"cells of one time step, got cells=\(\(2, 4, 4\)"):
        tiny("stvit", per_time_step=True, cells=((2, 4, 4), (1, 2, 2), (1, 1, 1), (1, 1, 1)))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ModelError, match="3 heads do not divide a width of 16"):
        tiny("stvit", heads=(1, 3, 3, 4))


@pytest.mark.parametrize(
    ("name", "parameters", "cost_of_dropping"),
    [("stvit_small", 25_495_624, 0.1), ("stvit_base", 51_691_288, 0.4), ("stvit_large", 94_971_096, 0.6)],
)
def test_sizes_are_the_papers(name, parameters, cost_of_dropping):
    with torch.device("meta"):
        network = STViT(classes=1000, **STVIT_SIZES[name])
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == parameters
    rates = [block.drop_path.drop_prob for blocks in network.stages for block in blocks]
    assert rates == pytest.approx(torch.linspace(0, cost_of_dropping, len(rates)).tolist())
    scaled = [block.mixer_scale is not None for blocks in network.stages for block in blocks]
    late = sum(STVIT_SIZES[name]["depths"][2:]) if name != "stvit_small" else 0
    assert scaled == [False] * (len(rates) - late) + [True] * late


def test_the_network_without_options_is_the_small_one():
    with torch.device("meta"):
        plain, small = STViT(classes=1000), STViT(classes=1000, **STVIT_SIZES["stvit_small"])
    assert plain.grids == small.grids == ((1, 56, 56), (1, 28, 28), (1, 14, 14), (1, 7, 7))
    assert str(plain) == str(small)


def test_the_contract_and_the_recorded_numbers():
    gives_what_the_official_code_gave("stvit_tiny")
    keeps_the_contract("stvit")
    looks_where_the_mark_is("stvit", per_time_step=True, temporal_kernel=3)
    looks_where_the_mark_is("stvit", temporal_strides=(1, 2, 1, 1))


def test_the_form_for_inference_is_the_same_in_space_and_in_time():
    is_the_same_for_inference("stvit")
    inference.test_video_forms_with_kernels_and_windows_over_time("stvit")
