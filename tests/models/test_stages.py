"""What must hold for each hierarchical network: sizes, equality with the image form, gradients, half precision."""

import pytest
import torch

from tests.models.costs import COSTS
from tests.models.families import OVER_TIME, TINY, clips, tiny
from vidtok.errors import ModelError
from vidtok.models import casvit, maxvit, stvit
from vidtok.models.casvit import CASViT
from vidtok.models.maxvit import MaxViT
from vidtok.models.stages import drop_path_rates, stage_grids
from vidtok.models.stvit import STViT
from vidtok.models.weights.image_form import load_renamed
from vidtok.nn.conv import GridBatchNorm, GridConv

FAMILIES = sorted(TINY)
# Exact counts of the official implementations with 1,000 classes.
PARAMETERS = {
    "stvit_small": 25_495_624,
    "stvit_base": 51_691_288,
    "stvit_large": 94_971_096,
    "maxvit_tiny_tf_224": 30_916_528,
    "maxvit_small_tf_224": 68_927_956,
    "maxvit_base_tf_224": 119_467_708,
    "maxvit_large_tf_224": 211_785_560,
    "maxvit_xlarge_tf_224": 474_951_952,
    "casvit_xs": 2_979_700,
    "casvit_s": 5_507_224,
    "casvit_m": 12_036_520,
    "casvit_t": 21_250_120,
}
# Multiply-adds in units of 10⁹ for one picture of 224 × 224, counted from the papers' architectures.
GMACS = {
    "stvit_small": 4.35,
    "stvit_base": 9.84,
    "stvit_large": 15.56,
    "maxvit_tiny_tf_224": 5.55,
    "maxvit_small_tf_224": 11.58,
    "maxvit_base_tf_224": 23.9,
    "maxvit_large_tf_224": 43.49,
    "maxvit_xlarge_tf_224": 97.21,
    "casvit_xs": 0.5468,
    "casvit_s": 0.912,
    "casvit_m": 1.859,
    "casvit_t": 3.557,
}
SIZES = {
    **{name: (STViT, sizes) for name, sizes in stvit.STVIT_SIZES.items()},
    **{name: (MaxViT, sizes) for name, sizes in maxvit.MAXVIT_SIZES.items()},
    **{name: (CASViT, sizes) for name, sizes in casvit.CASVIT_SIZES.items()},
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_cost_what_they_should(name):
    """What test_cost counts of the models of these names is what is written of them."""
    parameters, macs = COSTS[name]
    assert parameters == PARAMETERS[name]
    assert macs == pytest.approx(GMACS[name] * 1e9, rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_extents_of_one_every_frame_is_the_image(family):
    image, video = tiny(family), tiny(family, frames=3, per_time_step=True)
    clip = clips(3, count=2)
    with torch.no_grad():
        together = video.features(clip)
        for step in range(3):
            alone = image.features(clip[:, step : step + 1])
            torch.testing.assert_close(together[:, step : step + 1], alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("per_time_step", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_of_equal_frames_gives_the_logits_of_the_image(family, per_time_step):
    """Central inflation keeps them in every mode, as long as all sizes divide and no kernel leaves the clip."""
    image = tiny(family)
    options = {} if per_time_step else OVER_TIME[family]
    strides = (2, 1, 2, 1)
    video = tiny(family, frames=8, temporal_kernel=3, temporal_strides=strides, per_time_step=per_time_step, **options)
    report = load_renamed(video, image.state_dict(), rename=str)
    assert report.resized
    assert not report.missing
    assert not report.skipped
    picture = clips(1)
    with torch.no_grad():
        want, got = image(picture), video(picture.expand(-1, 8, -1, -1, -1))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_frames_of_a_clip_reach_each_other_and_clips_do_not(family):
    video = tiny(family, frames=4, temporal_kernel=3, **OVER_TIME[family])
    clip = clips(4, count=2)
    other = clip.clone()
    other[1, 3] += 1.0
    with torch.no_grad():
        moved = (video.features(other) - video.features(clip)).abs().amax((2, 3, 4))
    assert moved[0].max() < 1e-9
    assert moved[1].min() > 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_grids_are_the_sizes_that_come_out(family):
    options = {"strict": False} if family == "maxvit" else {}
    video = tiny(family, frames=5, size=(72, 40), temporal_kernel=3, temporal_strides=(2, 1, 2, 1), **options)
    shapes = []
    for stage in video.stages:
        stage.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:4])))
    with torch.no_grad():
        video(torch.zeros(1, 5, 3, 72, 40, dtype=torch.float64))
    assert tuple(shapes) == video.grids == ((3, 18, 10), (3, 9, 5), (2, 5, 3), (2, 3, 2))
    assert video.grid == video.grids[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_a_gradient(family):
    video = tiny(family, frames=4, temporal_kernel=3, **OVER_TIME[family])
    (video(clips(4)) ** 2).sum().backward()
    idle = [name for name, p in video.named_parameters() if p.grad is None or not bool(p.grad.abs().max() > 0)]
    assert not idle, idle


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_finite(family, dtype):
    video = tiny(family, frames=4, temporal_kernel=3, **OVER_TIME[family]).float().train()
    clip = clips(4, count=2).float().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        logits = video(clip)
    logits.float().sum().backward()
    assert bool(logits.isfinite().all())
    assert clip.grad is not None
    assert bool(clip.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in video.parameters() if p.grad is not None)


@pytest.mark.parametrize("order", ["as a batch is made", "as a decoder gives it"])
@pytest.mark.parametrize("family", FAMILIES)
def test_channels_stay_last_in_memory(family, order):
    network, met = tiny(family, frames=2), []
    for module in network.modules():
        if isinstance(module, GridConv | GridBatchNorm):
            module.register_forward_pre_hook(lambda module, inputs: met.append(inputs[0].stride(-1) == 1))
    x = clips(frames=2)
    network(x if order == "as a batch is made" else x.movedim(2, -1).contiguous().movedim(-1, 2))
    assert len(met) > 10
    assert all(met)


def test_drop_path_grows_to_the_rate():
    assert drop_path_rates(0.4, 5) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates(0.4, 1) == [0.0]


@pytest.mark.parametrize(
    "options", [{"frames": 0}, {"size": 0}, {"temporal_strides": (1, 0, 1, 1)}, {"size": (224, -1)}], ids=str
)
def test_impossible_sizes_are_refused(options):
    facts = {"frames": 8, "size": 224, "temporal_strides": (1, 1, 1, 1), **options}
    with pytest.raises(ModelError, match=r"got"):
        stage_grids(facts.pop("frames"), facts.pop("size"), **facts)
