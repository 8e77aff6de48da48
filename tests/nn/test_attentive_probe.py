"""Attentive probes: each against its plain loops, what order tells them, and what they refuse."""

import math

import pytest
import torch

from vidtok.errors import ModelError
from vidtok.nn.attentive_probe import AttentivePool, AttentiveProbe, CrossAttention, FrameOrderProbe


def shaken(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return module.double().eval().requires_grad_(False)


def tokens(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def looked(queries, keys, values, heads):
    """Attention of each query on all keys, head by head, written as loops."""
    width = queries.shape[-1] // heads
    out = torch.zeros_like(queries)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        for row, query in enumerate(queries[:, part]):
            weights = [math.exp(float(query @ key) / width**0.5) for key in keys[:, part]]
            out[row, part] = sum(w * v for w, v in zip(weights, values[:, part], strict=True)) / sum(weights)
    return out


def test_queries_look_at_tokens_as_in_the_loops():
    layer = shaken(CrossAttention(6, heads=2))
    queries, x = tokens(1, 3, 6), tokens(1, 5, 6) + 1
    key_value = x[0] @ layer.key_value.weight.T + layer.key_value.bias
    want = looked(queries[0] @ layer.query.weight.T + layer.query.bias, key_value[:, :6], key_value[:, 6:], 2)
    torch.testing.assert_close(layer(queries, x)[0], want, rtol=1e-12, atol=1e-12)


def test_the_pool_of_one_block_is_its_formula():
    pool, x = shaken(AttentivePool(6, heads=2, depth=1, mlp_ratio=2.0)), tokens(2, 5, 6)
    assert len(pool.blocks) == 0
    for row in range(2):
        query = pool.query + pool.attend(pool.query.view(1, 1, 6), pool.norm(x[row : row + 1]))[0, 0]
        hidden = pool.mlp.expand(pool.mlp_norm(query))
        hidden = torch.stack([v * 0.5 * (1 + torch.erf(v / 2**0.5)) for v in hidden])
        torch.testing.assert_close(pool(x)[row], query + pool.mlp.contract(hidden), rtol=1e-12, atol=1e-12)


def test_blocks_stand_before_the_query():
    pool, x = shaken(AttentivePool(6, heads=2, depth=3, mlp_ratio=2.0)), tokens(2, 5, 6)
    alone = AttentivePool(6, heads=2, depth=1, mlp_ratio=2.0).double()
    alone.load_state_dict({key: value for key, value in pool.state_dict().items() if not key.startswith("blocks.")})
    torch.testing.assert_close(pool(x), alone(pool.blocks[1](pool.blocks[0](x))), rtol=1e-12, atol=0)
    assert not torch.allclose(pool(x), alone(x))


def test_the_probe_takes_any_axes_and_does_not_see_order():
    probe, x = shaken(AttentiveProbe(6, classes=3, heads=2, depth=2)), tokens(2, 4, 3, 2, 6)
    torch.testing.assert_close(probe(x), probe.head(probe.pool(x.flatten(1, 3))), rtol=0, atol=0)
    torch.testing.assert_close(probe(x), probe(x.flip(1)), rtol=1e-10, atol=1e-12)
    assert probe(x).shape == (2, 3)


def test_the_frame_probe_is_its_formula():
    probe, x = shaken(FrameOrderProbe(5, classes=3, frames=4, width=6, heads=2)), tokens(1, 4, 2, 5)
    rows = [probe.token] + [probe.enter(x[0, t, s]) + probe.position[t] for t in range(4) for s in range(2)]
    q, k, v = (torch.stack(rows) @ probe.attend.qkv.weight.T + probe.attend.qkv.bias).chunk(3, dim=1)
    seen = probe.attend.projection(looked(q[:1], k, v, 2)[0])
    torch.testing.assert_close(probe(x)[0], probe.head(probe.norm(seen)), rtol=1e-10, atol=1e-12)


def test_frames_have_an_order_and_tokens_of_a_frame_have_none():
    probe, x = shaken(FrameOrderProbe(5, classes=3, frames=4, heads=1)), tokens(2, 4, 3, 5)
    assert not torch.allclose(probe(x), probe(x.flip(1)))
    torch.testing.assert_close(probe(x), probe(x.flip(2)), rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        probe.position.zero_()
    torch.testing.assert_close(probe(x), probe(x.flip(1)), rtol=1e-10, atol=1e-12)
    assert probe(x[:, :2]).shape == (2, 3), "shorter clips have the first positions"


def test_weights_start_small_and_a_frame_probe_gives_every_class_the_same():
    torch.manual_seed(0)
    probe = AttentiveProbe(64, classes=40, heads=2, depth=2)
    for name, parameter in probe.named_parameters():
        if "norm" not in name:
            spread = 0.0 if name.endswith("bias") else 0.02
            assert float(parameter.detach().square().mean().sqrt()) == pytest.approx(spread, rel=0.4), name
    frames = FrameOrderProbe(16, classes=3, frames=8, width=32)
    assert not frames(torch.randn(2, 8, 4, 16)).any()
    assert float(frames.position.detach().std()) == pytest.approx(0.02, rel=0.2)
    assert float(frames.token.detach().std()) == pytest.approx(0.02, rel=0.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CrossAttention(6, heads=4), "4 heads do not divide a width of 6"),
        (lambda: AttentivePool(6, heads=2, depth=0), "depth=0"),
        (lambda: AttentiveProbe(6, classes=0, heads=2), "at least 1 class, got 0"),
        (lambda: FrameOrderProbe(4, classes=2, frames=2)(torch.zeros(1, 3, 1, 4)), "2 frames, the clip has 3"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()


def test_a_probe_without_options_has_v_jepa_2_s_four_blocks():
    probe = AttentiveProbe(64, classes=2)
    assert len(probe.pool.blocks) == 3, "the fourth is that of the query"
    assert {block.mixers[0].heads for block in probe.pool.blocks} == {16}
    assert probe.pool.norm.eps == 1e-6
    assert FrameOrderProbe(64, classes=2, frames=3).attend.heads == 4
