"""CAS-ViT's own rules."""

import pytest
import torch

from tests.models import test_inference_form as inference
from tests.models.contract import (
    gives_what_the_official_code_gave,
    is_the_same_for_inference,
    keeps_the_contract,
    looks_where_the_mark_is,
)
from tests.models.families import clips, tiny
from vidtok.models.casvit import CASVIT_SIZES, CASViT


def test_the_logits_are_the_mean_of_both_heads():
    network, x = tiny("casvit", dist_head=True), clips(1)
    seen = {}
    network.head.register_forward_hook(lambda _m, _i, out: seen.__setitem__("head", out))
    network.dist_head.register_forward_hook(lambda _m, _i, out: seen.__setitem__("dist_head", out))
    torch.testing.assert_close(network(x), (seen["head"] + seen["dist_head"]) / 2)
    assert not torch.allclose(seen["head"], seen["dist_head"])


def test_the_distillation_head_has_the_published_number_of_parameters():
    with_head, without = tiny("casvit", dist_head=True), tiny("casvit")
    more = sum(p.numel() for p in with_head.parameters()) - sum(p.numel() for p in without.parameters())
    assert more == 5 * 20 + 5


@pytest.mark.parametrize(
    ("name", "parameters", "without"),
    [
        ("casvit_xs", 3_200_700, 2_979_700),
        ("casvit_s", 5_764_224, 5_507_224),
        ("casvit_m", 12_421_520, 12_036_520),
        ("casvit_t", 21_763_120, 21_250_120),
    ],
)
def test_sizes_are_the_papers_which_count_both_heads(name, parameters, without):
    assert set(CASVIT_SIZES) == {"casvit_xs", "casvit_s", "casvit_m", "casvit_t"}
    with torch.device("meta"):
        both, one = (CASViT(classes=1000, dist_head=dist_head, **CASVIT_SIZES[name]) for dist_head in (True, False))
    assert sum(p.numel() for p in both.parameters()) == parameters
    assert sum(p.numel() for p in one.parameters()) == without


def test_the_network_without_options_is_the_smallest_size_for_pictures():
    with torch.device("meta"):
        network = CASViT(classes=1000)
    assert sum(p.numel() for p in network.parameters()) == 2_979_700
    assert network.grids == ((1, 56, 56), (1, 28, 28), (1, 14, 14), (1, 7, 7))
    assert [len(blocks) for blocks in network.stages] == [2, 2, 4, 2]
    rates = [block.drop_path.drop_prob for blocks in network.stages for block in blocks]
    assert rates == [0.0] * 10
    assert {module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}


def test_heads_start_small():
    network = CASViT(classes=400, dist_head=True)
    for head in (network.head, network.dist_head):
        assert head.weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert not head.bias.any()


def test_the_contract_and_the_recorded_numbers():
    gives_what_the_official_code_gave("casvit_tiny")
    for name in ("casvit", "casvit, two heads"):
        keeps_the_contract(name)
    looks_where_the_mark_is("casvit", per_time_step=True)
    looks_where_the_mark_is("casvit", temporal_kernel=3, temporal_strides=(2, 1, 1, 1))


def test_the_form_for_inference_is_the_same_in_space_and_in_time():
    is_the_same_for_inference("casvit")
    inference.test_video_forms_with_kernels_and_windows_over_time("casvit")
