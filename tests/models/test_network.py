"""What every network promises: blocks in their order, the depth of every parameter."""

import pytest
import torch
from timm.models import group_parameters

from tests.models.families import TINY, clips, tiny
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.nn.token_learner import TokenLearnerOptions

SIZES = {"classes": 3, "frames": 4, "size": 16, "tubelet": (2, 8, 8), "width": 16, "depth": 3, "heads": 2}


def vivit(**options):
    return ViViT(**SIZES, **options).double()


def factorised(**options):
    return FactorisedEncoderViViT(**SIZES, time_depth=2, **options).double()


NETWORKS = {
    "class token": lambda: vivit(pool="cls"),
    "TokenLearner": lambda: vivit(token_learner=TokenLearnerOptions(after_block=1, tokens=2)),
    "TokenFuser": lambda: vivit(token_learner=TokenLearnerOptions(after_block=1, tokens=2, fuse=True), pre_logits=8),
    "factorised": lambda: factorised(pool="cls"),
    "factorised, TokenLearner": lambda: factorised(token_learner=TokenLearnerOptions(after_block=0, tokens=2)),
    **{name: lambda name=name: tiny(name) for name in TINY},
}


def depths_of(network):
    return group_parameters(network, network.group_matcher(), reverse=True)


def order_of_use(network, clip):
    """The names of parameters in the order in which a forward pass comes to the modules that own them."""
    order = []

    def note(name, module):
        own = [f"{name}.{key}" for key, _ in module.named_parameters(recurse=False)]
        return lambda *_: order.extend(key for key in own if key not in order)

    handles = [module.register_forward_pre_hook(note(name, module)) for name, module in network.named_modules()]
    network(clip)
    for handle in handles:
        handle.remove()
    return order


@pytest.mark.parametrize("name", NETWORKS)
def test_depths_rise_along_the_forward_pass(name):
    network = NETWORKS[name]()
    small = name not in TINY
    order = order_of_use(network, torch.randn(1, 4, 3, 16, 16, dtype=torch.float64) if small else clips(1))
    depths = depths_of(network)
    assert depths.keys() == dict(network.named_parameters()).keys()
    assert set(order) == depths.keys()
    rising = [depths[key] for key in order]
    assert rising == sorted(rising)
    blocks = network.blocks
    assert set(rising) == set(range(len(blocks) + 2))
    for i, block in enumerate(blocks):
        own = {id(parameter) for parameter in block.parameters()}
        assert {depths[key] for key, value in network.named_parameters() if id(value) in own} == {i + 1}


def test_what_belongs_where():
    depths = depths_of(vivit(token_learner=TokenLearnerOptions(after_block=2, tokens=2)))
    assert depths["tokenizer.projection.weight"] == depths["encoder.position.table"] == 0
    assert {depth for name, depth in depths.items() if "token_learners" in name} == {3}
    assert depths["pool.norm.weight"] == depths["head.logits.bias"] == 4
