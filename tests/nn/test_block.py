import copy

import pytest
import torch

from vidtok.nn.block import Block
from vidtok.nn.inference import inference_layer
from vidtok.nn.mixers import make_mixer


def block(width=8, mixers=1, **options):
    specs = [{"name": "mhsa"}] * mixers
    return Block(width, mixers=[make_mixer(width, heads=2, spec=spec) for spec in specs], **options)


def test_mixers_come_one_after_the_other_each_with_its_own_norm_and_residual():
    layer, x = block(mixers=2).eval(), torch.randn(2, 5, 8)
    for norm in [*layer.norms, layer.mlp_norm]:
        torch.nn.init.normal_(norm.weight)
    y = x + layer.mixers[0](layer.norms[0](x))
    y = y + layer.mixers[1](layer.norms[1](y))
    y = y + layer.mlp.contract(torch.nn.functional.gelu(layer.mlp.expand(layer.mlp_norm(y)), approximate="tanh"))
    torch.testing.assert_close(layer(x), y)


def test_options_arrive():
    assert block(gelu="erf").mlp.activation.approximate == "none"
    assert block(gelu="tanh").mlp.activation.approximate == "tanh"
    assert block(mlp_ratio=1.5).mlp.expand.out_features == 12
    assert block(norm_eps=0.5).norms[0].eps == block(norm_eps=0.5).mlp_norm.eps == 0.5
    assert not torch.equal(
        (layer := block(dropout=0.5).train())(torch.ones(1, 4, 8)), layer.eval()(torch.ones(1, 4, 8))
    )


def test_a_plain_block_is_vits():
    layer, x = block().train(), torch.randn(2, 5, 8)
    assert layer.mlp.expand.out_features == 4 * 8
    assert layer.norms[0].eps == layer.mlp_norm.eps == 1e-6
    assert layer.mlp.activation.approximate == "tanh"
    assert not layer.drop_path.scale_by_keep
    torch.testing.assert_close(layer(x), layer.eval()(x))  # nothing is dropped


@pytest.mark.parametrize("rescale", [True, False])
def test_a_dropped_branch_is_absent_and_a_kept_one_is_rescaled_or_not(rescale):
    torch.manual_seed(0)
    layer, x = block(drop_path=0.75, drop_path_rescale=rescale).train(), torch.randn(1, 5, 8)
    torch.nn.init.zeros_(layer.mlp.contract.weight)
    torch.nn.init.zeros_(layer.mlp.contract.bias)
    with torch.no_grad():
        branch = layer.mixers[0](layer.norms[0](x))
        kept = x + (4 * branch if rescale else branch)
        seen = {"kept": 0, "dropped": 0}
        for _ in range(200):
            out = layer(x)
            seen["dropped" if torch.equal(out, x) else "kept"] += 1
            assert torch.equal(out, x) or torch.allclose(out, kept, atol=1e-6)
    assert 25 <= seen["kept"] <= 80, seen


@pytest.mark.parametrize("gelu", ["tanh", "quick"])
@torch.no_grad()
def test_the_form_for_inference_gives_the_same(gelu):
    layer, x = block(mixers=2, gelu=gelu, dropout=0.5, drop_path=0.5).double().eval(), torch.randn(2, 5, 8).double()
    for norm in [*layer.norms, layer.mlp_norm]:
        torch.nn.init.normal_(norm.weight)
    form = inference_layer(copy.deepcopy(layer), fused=False)
    torch.testing.assert_close(form(x), layer(x))
    assert [name for name, _ in form.named_modules() if "drop" in name] == []
