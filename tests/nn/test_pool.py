import pytest
import torch

from vidtok.nn.pool import ClassToken, Head, Pool


def test_class_token_stands_first_with_its_position():
    layer = ClassToken(3, position=True)
    with torch.no_grad():
        layer.token.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.position.copy_(torch.tensor([10.0, 20.0, 30.0]))
    x = torch.arange(2 * 2 * 1 * 2 * 3, dtype=torch.float32).reshape(2, 2, 1, 2, 3)
    got = layer(x)
    assert got[:, 0].tolist() == [[11, 22, 33]] * 2
    assert torch.equal(got[:, 1:], x.reshape(2, 4, 3))


def test_the_token_starts_at_zero_and_its_position_is_small():
    layer = ClassToken(4000, position=True)
    assert not layer.token.any()
    assert layer.position.std().item() == pytest.approx(0.02, rel=0.1)
    alone = ClassToken(3, position=False)
    assert [name for name, _ in alone.named_parameters()] == ["token"]
    assert alone(torch.ones(2, 1, 2, 2, 3)).shape == (2, 5, 3)


def test_vits_norm_comes_first_and_divides_by_no_less_than_a_millionth():
    pool = Pool(6, kind="mean")
    assert (pool.norm_position, pool.norm.eps) == ("before_pool", 1e-6)
    assert Pool(6, kind="mean", norm_eps=0.5).norm.eps == 0.5


@pytest.mark.parametrize("norm_position", ["before_pool", "after_pool"])
@pytest.mark.parametrize("kind", ["mean", "max", "cls"])
def test_pool_and_norm_in_either_order(kind, norm_position):
    pool, x = Pool(6, kind=kind, norm_position=norm_position), torch.randn(2, 3, 4, 6)
    torch.nn.init.normal_(pool.norm.weight)
    tokens = x.reshape(2, 12, 6)
    pick = {"mean": lambda v: v.mean(1), "max": lambda v: v.max(1).values, "cls": lambda v: v[:, 0]}[kind]
    want = pick(pool.norm(tokens)) if norm_position == "before_pool" else pool.norm(pick(tokens))
    torch.testing.assert_close(pool(x), want)


def test_head_starts_at_zero_and_learns():
    head = Head(6, classes=4)
    x = torch.randn(3, 6)
    assert not head(x).any()
    head(x)[:, 0].sum().backward()
    assert head.logits.weight.grad[0].abs().min() > 0


def test_the_start_of_a_head():
    head = Head(400, classes=4, hidden=500)
    assert head.pre_logits.weight.std().item() == pytest.approx(400**-0.5, rel=0.02)  # LeCun's, over the inputs
    for tensor in (head.pre_logits.bias, head.logits.weight, head.logits.bias):
        assert not tensor.any()


def test_pre_logits_are_a_tanh_layer():
    head, x = Head(6, classes=4, hidden=5), torch.randn(3, 6)
    torch.nn.init.normal_(head.logits.weight)
    want = torch.tanh(x @ head.pre_logits.weight.T + head.pre_logits.bias) @ head.logits.weight.T
    torch.testing.assert_close(head(x), want)
