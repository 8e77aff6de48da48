import pytest
import torch
from einops import rearrange

from tests.models.contract import gives_what_the_official_code_gave, keeps_the_contract, looks_where_the_mark_is
from tests.models.test_vivit import parameters, tiny
from vidtok.errors import ModelError
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.token_learner import TokenLearnerOptions


@pytest.mark.parametrize(
    ("options", "want"),
    [({}, 115.063e6), ({"time_depth": 0}, 86.696e6)],
    ids=["time depth 4", "mean over time"],
)
def test_published_sizes(options, want):
    assert parameters(FactorisedEncoderViViT, pool="cls", **options) == pytest.approx(want, abs=500)


def test_published_sizes_large():
    large = {"width": 1024, "depth": 24, "heads": 16, "pool": "cls"}
    assert parameters(FactorisedEncoderViViT, **large) == pytest.approx(354.9e6, abs=5e4)
    assert parameters(FactorisedEncoderViViT, **large, time_depth=24) == pytest.approx(606.8e6, abs=5e4)


def test_space_is_one_encoder_shared_by_all_time_steps():
    network = tiny(FactorisedEncoderViViT, pool="cls", time_depth=0).eval()
    torch.nn.init.normal_(network.head.logits.weight)
    x = torch.randn(1, 4, 3, 16, 24)
    turned = rearrange(x, "b (t f) c y x -> b t f c y x", f=2).flip(1).flatten(1, 2)
    torch.testing.assert_close(network(x), network(turned))


def test_the_time_encoder_sees_the_order():
    network = tiny(FactorisedEncoderViViT, time_depth=2).eval()
    torch.nn.init.normal_(network.head.logits.weight)
    x = torch.randn(1, 4, 3, 16, 24)
    turned = rearrange(x, "b (t f) c y x -> b t f c y x", f=2).flip(1).flatten(1, 2)
    assert (network(x) - network(turned)).abs().max() > 1e-3


def test_token_learner_stands_in_the_space_encoder():
    network = tiny(FactorisedEncoderViViT, token_learner=TokenLearnerOptions(after_block=2, tokens=3))
    seen = []
    network.space.blocks[3].register_forward_hook(lambda _m, inputs, _o: seen.append(tuple(inputs[0].shape)))
    network(torch.randn(2, 4, 3, 16, 24))
    assert seen == [(4, 1, 3, 24)]


def test_options_of_a_time_encoder_that_is_not_there_are_refused():
    with pytest.raises(ModelError, match="`time_depth`=0"):
        tiny(FactorisedEncoderViViT, time_depth=0, time_heads=2)


def test_the_contract_and_the_recorded_numbers():
    gives_what_the_official_code_gave("vivit_m2_tiny", "vivit_m2_tiny_gap", "vivit_m2_tiny_spatial_only")
    for name in ("factorised", "factorised, mean over time", "factorised, TokenLearner"):
        keeps_the_contract(name)
    looks_where_the_mark_is("vivit_factorised")
