"""Convolutional additive attention beyond the contract: kernels of one time step, and what a time step may see."""

import pytest
import torch

from tests.references.conv_additive import naive
from vidtok.nn.mixers.conv_additive import ConvAdditive, ConvAdditiveForm


def mixer(**options):
    torch.manual_seed(0)
    return ConvAdditive(4, **options).double().eval()


def tokens(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("temporal_kernel", [1, 5])
def test_other_kernels_equal_the_loops(temporal_kernel):
    layer, x = mixer(temporal_kernel=temporal_kernel), tokens(1, 3, 2, 3, 4)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), naive(layer, x), rtol=1e-10, atol=1e-12)


def test_one_time_step_is_the_image_form_with_the_middle_taps():
    clip, image = mixer(temporal_kernel=3), mixer(temporal_kernel=1)
    image.load_state_dict({k: v[:, :, 1:2] if v.dim() == 5 else v for k, v in clip.state_dict().items()})
    x = tokens(2, 1, 3, 4, 4)
    torch.testing.assert_close(clip(x), image(x), rtol=1e-12, atol=1e-12)


def test_only_the_pool_over_the_clip_reaches_across_kernels_of_one_step():
    x = tokens(1, 3, 3, 3, 4)
    other = x.clone()
    other[:, 2] += 1.0
    alone, together = mixer(temporal_kernel=1, pool="time_step"), mixer(temporal_kernel=1, pool="clip")
    torch.testing.assert_close(alone(other)[:, :2], alone(x)[:, :2], rtol=0, atol=0)
    assert (together(other) - together(x))[:, :2].abs().max() > 1e-6


def test_the_map_of_some_tokens():
    layer, x = mixer(), tokens(1, 2, 3, 3, 4)
    rows, out = layer.attention_map(x, query=torch.tensor([4, 0]))
    torch.testing.assert_close(rows[0, 0], layer.attention_map(x)[0][0, 0, 1, 1], rtol=0, atol=0)
    torch.testing.assert_close(out, layer(x), rtol=0, atol=0)


@pytest.mark.parametrize(("temporal_kernel", "pool"), [(3, "clip"), (1, "time_step")])
def test_the_form_for_inference_takes_a_norm_in_front_and_adds_a_sum(temporal_kernel, pool):
    layer, x = mixer(temporal_kernel=temporal_kernel, pool=pool), tokens(2, 3, 2, 3, 4)
    scale, shift = tokens(2, 4)
    with torch.no_grad():
        want = layer(x * scale + shift) + x
        form = ConvAdditiveForm(layer, before=(scale, shift), fused=False)
        torch.testing.assert_close(form(x, added=x), want, rtol=1e-10, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in form.parameters())
