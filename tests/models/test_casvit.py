"""CAS-ViT's own rules."""

import torch

from tests.models.families import clips, tiny


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
