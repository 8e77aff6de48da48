"""MaxViT against timm's, and its windows."""

import pytest
import timm
import torch

from tests.models import test_inference_form as inference
from tests.models.contract import (
    gives_what_the_official_code_gave,
    is_the_same_for_inference,
    keeps_the_contract,
    looks_where_the_mark_is,
)
from tests.models.families import clips, tiny
from vidtok.errors import ModelError
from vidtok.models.maxvit import MAXVIT_SIZES, MaxViT, MBConv
from vidtok.models.weights.maxvit_timm import load_maxvit_timm
from vidtok.nn.drop_path import DropPath


@pytest.mark.parametrize(("name", "size"), [("maxvit_tiny_tf_224", 224), ("maxvit_tiny_tf_384", 384)])
def test_the_logits_are_timms(name, size):
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=7).double().eval()
    with torch.no_grad():
        for key, tensor in theirs.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and tensor.dim() < 2:
                tensor += 0.1 * torch.randn_like(tensor)
    sizes = MAXVIT_SIZES["maxvit_tiny_tf_224"]
    ours = MaxViT(classes=7, size=size, window=(1, size // 32, size // 32), **sizes).double().eval()
    report = load_maxvit_timm(ours, theirs.state_dict())
    assert set(report.used) == set(theirs.state_dict())
    assert not report.missing
    x = clips(1, size=size)
    with torch.no_grad():
        want = theirs(x[:, 0])
        torch.testing.assert_close(ours(x), want, rtol=1e-8, atol=1e-8 * want.std().item())


def test_windows_that_do_not_divide_fail_when_the_network_is_built():
    with pytest.raises(ModelError, match=r"50 rows do not divide into windows of 7 \(these do: 1, 2, 5, 10, 25, 50\)"):
        MaxViT(classes=5, size=200)
    with pytest.raises(ModelError, match="1 time steps do not divide into windows of 2"):
        tiny("maxvit", frames=4, window=(2, 2, 2), temporal_strides=(2, 2, 1, 1))


def test_any_size_runs_where_windows_are_not_strict():
    with torch.no_grad():
        network = tiny("maxvit", frames=3, size=40, window=(2, 3, 3), strict=False)
        assert bool(network(clips(3, size=40)).isfinite().all())


def test_windows_over_time_do_not_go_with_per_time_step():
    with pytest.raises(ModelError, match=r"windows of one time step, got window=\(2, 2, 2\)"):
        tiny("maxvit", frames=4, per_time_step=True, window=(2, 2, 2))


def test_heads_must_fill_the_width():
    with pytest.raises(ModelError, match="heads of 7 channels do not fill a width of 8"):
        tiny("maxvit", head_width=7)


def test_the_shortcut_averages_tokens_inside_the_clip_alone():
    block = MBConv(4, 4, stride=(2, 2, 2), temporal_kernel=1, per_time_step=False, drop_path=0.0).double().eval()
    with torch.no_grad():
        block.contract.weight.zero_()
        block.contract.bias.zero_()
        out = block(torch.ones(1, 3, 5, 4, 4, dtype=torch.float64))
    assert out.shape == (1, 2, 3, 2, 4)
    torch.testing.assert_close(out, torch.ones_like(out))


def test_the_initialisation_is_the_papers():
    network = MaxViT(classes=100, **MAXVIT_SIZES["maxvit_tiny_tf_224"])
    for layer in (network.stem[3], network.stages[3][0].block.mlp[0], network.head):
        assert layer.weight.detach().std().item() == pytest.approx(0.02, rel=0.03)
        assert layer.bias.detach().abs().max().item() == 0
    assert network.stages[3][0].block.mixer.bias.detach().std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("maxvit_tiny_tf_224", 30_916_528),
        ("maxvit_small_tf_224", 68_927_956),
        ("maxvit_base_tf_224", 119_467_708),
        ("maxvit_large_tf_224", 211_785_560),
        ("maxvit_xlarge_tf_224", 474_951_952),
    ],
)
def test_sizes_are_the_papers(name, parameters):
    with torch.device("meta"):
        network = MaxViT(classes=1000, **MAXVIT_SIZES[name])
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_network_without_options_is_the_tiny_one():
    with torch.device("meta"):
        plain, tiny_one = MaxViT(classes=1000), MaxViT(classes=1000, **MAXVIT_SIZES["maxvit_tiny_tf_224"])
    assert str(plain) == str(tiny_one)
    assert plain.grids == ((1, 56, 56), (1, 28, 28), (1, 14, 14), (1, 7, 7))
    rates = sorted({m.drop_prob for m in plain.modules() if isinstance(m, DropPath)})
    assert (rates[0], rates[-1]) == (0.0, pytest.approx(0.2 * 10 / 11))  # of 11 blocks the first has none


def test_the_contract_and_the_recorded_numbers():
    gives_what_the_official_code_gave("maxvit_block_s1", "maxvit_block_s2")
    keeps_the_contract("maxvit")
    looks_where_the_mark_is("maxvit", per_time_step=True)
    looks_where_the_mark_is("maxvit", temporal_kernel=3, temporal_strides=(1, 2, 1, 1))


def test_the_form_for_inference_is_the_same_in_space_and_in_time():
    is_the_same_for_inference("maxvit")
    inference.test_video_forms_with_kernels_and_windows_over_time("maxvit")
