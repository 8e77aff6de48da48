"""The form for inference of every network: the same numbers by less work."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.models.families import OVER_TIME, TINY, clips, tiny
from tests.models.networks import ALL, OWN, clip_of, filled
from vidtok.errors import ModelError
from vidtok.infer.predict import VideoClassifier
from vidtok.models.maxvit import MAXVIT_SIZES, MaxViT
from vidtok.models.network import Network
from vidtok.nn import onednn

BatchNorm = nn.modules.batchnorm._BatchNorm
NETWORKS = [name if name in OWN else pytest.param(name, marks=pytest.mark.slow) for name in ALL]
# STViT's stem has an activation before each norm and zeros around the next convolution; CAS-ViT's last norm has a mean
# behind it, no product.
STAY = {"stvit": 4, "casvit": 1, "casvit, two heads": 1}
needs_onednn = pytest.mark.skipif(onednn.why_not() is not None, reason=str(onednn.why_not()))


def stirred(name: str, dtype: torch.dtype = torch.float64) -> Network:
    """The network with the statistics of its norms away from where they start, which would hide a wrong folding."""
    network = filled(name).to(dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, BatchNorm):
                for tensor, low, high in (
                    (norm.running_mean, -0.5, 0.5),
                    (norm.running_var, 0.5, 1.5),
                    (norm.weight, 0.7, 1.3),
                    (norm.bias, -0.5, 0.5),
                ):
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return network.eval()


def away(got: torch.Tensor, want: torch.Tensor) -> float:
    assert got.shape == want.shape
    return float((got - want).abs().max() / want.abs().max().clamp(min=1))


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_every_network_gives_the_same_numbers(name):
    network = stirred(name)
    before = {key: value.clone() for key, value in (*network.named_parameters(), *network.named_buffers())}
    form, clip = network.train().for_inference(fused=False), clip_of(network).double()
    assert network.training
    network.eval()
    want, depths = network(clip), range(len(network.blocks) + 1)
    assert away(form(clip), want) < 1e-10
    assert away(form(clip[1:]), want[1:]) < 1e-10
    assert form(clip[:0]).shape == (0, 5)
    assert away(form.features(clip), network.features(clip)) < 1e-10
    for got, wanted in zip(form.features(clip, depths=depths), network.features(clip, depths=depths), strict=True):
        assert away(got, wanted) < 1e-10
    assert sum(isinstance(module, BatchNorm) for module in form.modules()) == STAY.get(name, 0)
    assert form.is_inference_form
    assert not network.is_inference_form
    assert not any(module.training for module in form.modules())
    assert not any(parameter.requires_grad for parameter in form.parameters())
    for key, value in (*network.named_parameters(), *network.named_buffers()):
        assert torch.equal(value, before[key]), key
    own = {tensor.data_ptr() for tensor in before.values() if tensor.numel()}
    assert not own & {parameter.data_ptr() for parameter in form.parameters()}


@pytest.mark.parametrize("name", ["vivit, TokenLearner", "vivit, multi_axis", "factorised", "stvit", "casvit", "own"])
@torch.no_grad()
def test_it_looks_where_the_network_looks(name):
    network = stirred(name)
    clip = clip_of(network).double()
    for got, want in zip(network.for_inference(fused=False).attention(clip), network.attention(clip), strict=True):
        assert (got.place, got.query, got.meaning) == (want.place, want.query, want.meaning)
        assert away(got.maps, want.maps) < 1e-10


@pytest.mark.parametrize("family", TINY)
@torch.no_grad()
def test_video_forms_with_kernels_and_windows_over_time(family):
    for options in (OVER_TIME[family], {"per_time_step": True}):
        network = tiny(family, frames=4, temporal_kernel=3, temporal_strides=(1, 2, 1, 1), **options)
        want = network(clips(4))
        assert away(network.for_inference(fused=False)(clips(4)), want) < 1e-10
        assert away(network.float().for_inference()(clips(4).float()).double(), want) < 1e-4
    if family == "maxvit":
        network = tiny(family, size=(56, 72), window=(1, 3, 2), strict=False)
        clip = clips(1)[..., :56, :].repeat(1, 1, 1, 1, 2)[..., :72]
        assert away(network.for_inference(fused=False)(clip), network(clip)) < 1e-10
        want = network.attention(clip)[0].maps
        assert away(network.for_inference(fused=False).attention(clip)[0].maps, want) < 1e-10
        logits, form = network(clip), network.float().for_inference()
        assert away(form(clip.float()).double(), logits) < 1e-4
        assert away(form.attention(clip.float())[0].maps.double(), want) < 1e-4


@needs_onednn
@pytest.mark.parametrize("name", OWN)
@torch.no_grad()
def test_operations_with_activations_and_sums_inside_give_the_same_numbers(name):
    network = stirred(name, torch.float32)
    clip = clip_of(network)
    want, form = network(clip), network.for_inference()
    assert away(network.for_inference(fused=False)(clip), want) < 1e-5
    assert away(form(clip), want) < 1e-5
    assert form(clip[:0]).shape == (0, 5)
    assert form.clips_at_once > 2
    form.clips_at_once = 1
    assert away(form(clip), want) < 1e-5
    for got, wanted in zip(form.features(clip, depths=[0]), network.features(clip, depths=[0]), strict=True):
        assert away(got, wanted) < 1e-5
    with torch.autocast("cpu", torch.bfloat16):
        assert form(clip).isfinite().all()


@needs_onednn
def test_large_batches_go_through_in_parts_whose_tensors_stay_small():
    network = MaxViT(classes=2, frames=1, **MAXVIT_SIZES["maxvit_tiny_tf_224"])
    assert network.for_inference().clips_at_once == 2  # 112 x 112 x 256 numbers of 4 bytes are 12.8 MB
    assert network.for_inference(fused=False).clips_at_once is None


@needs_onednn
def test_a_form_takes_the_fused_operations_where_they_are():
    def kinds(form):
        return {type(module) for module in form.modules()}

    network = stirred("casvit", torch.float32)
    assert {onednn.FusedLinear, onednn.FusedConv} <= kinds(network.for_inference())
    assert not {onednn.FusedLinear, onednn.FusedConv} & kinds(network.for_inference(fused=False))
    assert not {onednn.FusedLinear, onednn.FusedConv} & kinds(network.double().for_inference())
    with pytest.raises(ModelError, match=r"fused=True: .* float32 on a processor, and the weights are float64 on cpu"):
        network.for_inference(fused=True)


@pytest.mark.parametrize("name", ["vivit, TokenFuser", "stvit", "casvit"])  # MaxViT pools, for which torch has none
@torch.no_grad()
def test_half_precision_is_finite(name):
    network = stirred(name, torch.bfloat16)
    clip = clip_of(network).bfloat16()
    got, want = network.for_inference()(clip).float(), network.float()(clip.float())
    assert (got - want).norm() / want.norm() < 0.1


def test_a_classifier_s_form_is_of_its_kind_and_is_not_saved(tmp_path):
    model = VideoClassifier(stirred("casvit", torch.float32), mean=(0.4,) * 3, std=(0.2,) * 3, classes=tuple("abcde"))
    form = model.for_inference()
    pixels = torch.randint(0, 256, (2, 2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        assert away(form(pixels), model.eval()(pixels)) < 1e-5
    assert type(form) is VideoClassifier
    assert (form.classes, form.normalisation) == (model.classes, model.normalisation)
    with pytest.raises(ModelError, match="save the model that it was made of"):
        form.write_weights(tmp_path / "model.safetensors")


EXPORTED = """
import torch
from tests.models.networks import clip_of, filled
network = filled("casvit")
form = network.for_inference(fused=False)
program = torch.export.export(form, (clip_of(network),), dynamic_shapes=({0: torch.export.Dim("b")},))
for count in (1, 3):
    clip = clip_of(network, count)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(clip), network(clip), rtol=1e-3, atol=1e-4)
print("mkldnn" in str(program.graph))
"""


@pytest.mark.slow
def test_the_form_of_public_operations_is_exported():
    done = subprocess.run([sys.executable, "-c", EXPORTED], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.split() == ["False"], done.stderr[-3000:]
