import pytest
import torch

from vidtok.nn.mlp import MLP


def test_forms_of_gelu_differ_as_they_should():
    x = torch.linspace(-3, 3, 50).reshape(10, 5)
    tanh, erf = MLP(5, hidden=7, out=4), MLP(5, hidden=7, out=4, gelu="erf")
    erf.load_state_dict(tanh.state_dict())
    difference = (tanh(x) - erf(x)).abs().max()
    assert 0 < difference < 5e-3


def test_dropout_is_behind_both_layers():
    mlp = MLP(4, hidden=6, out=4, dropout=1.0).train()
    assert not mlp(torch.randn(3, 4)).any()
    assert mlp.eval()(torch.randn(3, 4)).any()
    x, plain = torch.randn(3, 4), MLP(4, hidden=6, out=4).train()
    assert torch.equal(plain(x), plain.eval()(x))  # none unless it is asked for


def test_start():
    mlp = MLP(300, hidden=500, out=300)
    bound = (6 / 800) ** 0.5
    assert 0.95 * bound < mlp.expand.weight.abs().max() <= bound
    for layer in (mlp.expand, mlp.contract):
        assert layer.weight.abs().max() <= bound
        assert 0.8e-6 < layer.bias.std() < 1.2e-6


@pytest.mark.parametrize(
    ("form", "formula"),
    [
        ("tanh", lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))),
        ("erf", lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5))),
        ("quick", lambda x: x / (1 + torch.exp(-1.702 * x))),
        ("relu", lambda x: x.clamp(min=0)),
        ("silu", lambda x: x / (1 + torch.exp(-x))),
    ],
)
def test_every_activation_is_its_formula(form, formula):
    mlp = MLP(3, hidden=5, out=2, gelu=form).double()
    x = 3 * torch.randn(7, 3, dtype=torch.float64)
    torch.testing.assert_close(mlp(x), mlp.contract(formula(mlp.expand(x))), rtol=1e-10, atol=1e-10)
    assert mlp.form == form
    with torch.no_grad():
        want, added = mlp(x), torch.randn(7, 2, dtype=torch.float64)
        inference = mlp.inference_form(fused=False)
        torch.testing.assert_close(inference(x), want, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(inference(x, added), want + added, rtol=1e-10, atol=1e-10)
