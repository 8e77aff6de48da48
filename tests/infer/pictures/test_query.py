"""Attention of a chosen query: its own row of the layer's map, head by head."""

import pytest
import torch

from tests.infer.pictures.scenes import GRID, network_of, scene_of, shown
from vidtok.errors import ModelError
from vidtok.infer.pictures.query import query
from vidtok.infer.pictures.scene import Point
from vidtok.nn.looks import at_rest

POINT = Point(time=0.9, y=0.3, x=0.6)
ROW = 1 * 32 + 1 * 8 + 4


def maps_of(network, layer):
    with at_rest(network):
        found = scene_of(network).mixers[layer]
        return found.mixer.attention_map(found.tokens)[0][0]


def test_a_point_s_row_head_by_head():
    network = network_of()
    found = shown(query, network, point=POINT, layer="all", head="all")
    assert [panel.title for panel in found] == [f"layer {k} head {e}" for k in (1, 2) for e in (1, 2)]
    for number, panel in enumerate(found):
        torch.testing.assert_close(panel.maps.flatten(), maps_of(network, number // 2)[number % 2, ROW])
        assert panel.point == POINT
    (mean,) = shown(query, network, point=POINT)
    torch.testing.assert_close(mean.maps.flatten(), maps_of(network, 1)[:, ROW].mean(0))
    assert mean.maps.shape == GRID
    assert float(mean.maps.sum()) == pytest.approx(1, abs=1e-5)


def test_without_a_point_all_tokens_look():
    network = network_of()
    (panel,) = shown(query, network, layer=1, head=2)
    torch.testing.assert_close(panel.maps.flatten(), maps_of(network, 0)[1].mean(0))
    assert (panel.title, panel.query, panel.meaning) == (
        "layer 1 head 2",
        "mean over all tokens",
        "attention, one head",
    )


def test_heads_that_look_along_time_are_not_in_the_mean():
    network = network_of(mixer={"name": "mhsa", "axes": "split"})
    (panel,) = shown(query, network, point=POINT)
    assert panel.meaning == "attention, mean of the heads that look over space"
    assert not panel.maps[0].any()
    torch.testing.assert_close(panel.maps.flatten(), maps_of(network, 1)[1, ROW])


def test_heads_are_counted():
    for head in (0, 3):
        with pytest.raises(ModelError, match=rf"`head`={head}: .* has heads 1 to 2"):
            shown(query, network_of(), head=head)
    assert [shown(query, network_of(), head=head)[0].title for head in (1, 2)] == ["layer 2 head 1", "layer 2 head 2"]
