"""The inference form of every network: the same numbers by less work."""

import pytest
import torch
from torch import nn

from tests.models.networks import ALL, clip_of, filled
from vidtok.models.network import Network


def stirred(name: str, dtype: torch.dtype = torch.float64) -> Network:
    """The network with running statistics, norms and scales away from where they start, which would hide a folding."""
    network = filled(name).to(dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor, low, high in (
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 1.5),
                    (module.weight, 0.7, 1.3),
                    (module.bias, -0.5, 0.5),
                ):
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return network.eval()


def scaled(x: torch.Tensor) -> float:
    return float(x.abs().max())


@pytest.mark.parametrize("name", ALL)
def test_every_network_gives_the_same_numbers(name):
    network = stirred(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    form = network.for_inference(fused=False)
    clip = clip_of(network).double()
    last = len(network.blocks)
    with torch.no_grad():
        want, got = network(clip), form(clip)
        assert (want - got).abs().max() <= 1e-10 * max(scaled(want), 1)
        for wanted, given in zip(
            (network.features(clip), *network.features(clip, depths=[0, last])),
            (form.features(clip), *form.features(clip, depths=[0, last])),
            strict=True,
        ):
            assert (wanted - given).abs().max() <= 1e-10 * max(scaled(wanted), 1)
        assert form(clip[:0]).shape == (0, 5)
        assert (form(clip[1:]) - want[1:]).abs().max() <= 1e-10 * max(scaled(want), 1)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert form.is_inference_form
    assert not network.is_inference_form
    assert not form.training
    assert not any(parameter.requires_grad for parameter in form.parameters())
