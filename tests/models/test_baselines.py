"""The contract of vidtok's networks, kept by those of pytorchvideo and torchvision, and their published sizes."""

import pytest
import torch
from torchvision.models import video

from tests.models.costs import COSTS
from vidtok.errors import ModelError
from vidtok.models import NETWORKS, network_class
from vidtok.models.baselines import BASELINES
from vidtok.models.baselines_x3d import StageTokens
from vidtok.models.cost import count_cost
from vidtok.models.kernels import avoid_broken_kernels

X3D = {"frames": 4, "size": (32, 48), "width_factor": 1.0, "depth_factor": 0.4, "dropout": 0.0}
MVIT = {"frames": 4, "size": (32, 48), "width": 16, "depths": (1, 1, 2, 1), "dropout": 0.0, "drop_path": 0.0}
# About the smallest that each builder allows, with sizes that are not square.
SMALL = {
    "x3d": X3D,
    "x3d tokens": {**X3D, "token_learner": StageTokens(after_stage=2, tokens=3, heads=2)},
    "slow": {"frames": 2, "size": (32, 48), "dropout": 0.0},
    "slowfast": {"frames": 8, "size": (32, 48), "dropout": 0.0},
    "mvit_v1": MVIT,
    "s3d": {"frames": 8, "size": (32, 48), "dropout": 0.0},
    "swin3d": {
        "frames": 4,
        "size": (32, 48),
        "width": 12,
        "depths": (2, 1, 1, 1),
        "heads": (1, 2, 3, 4),
        "window": (2, 4, 4),
        "drop_path": 0.0,
    },
    "mvit_v2": MVIT,
}
# The last block's class token alone is read, and it is neither pooled nor does it meet relative positions.
IDLE = {
    "mvit_v1": {"body.blocks.4.attn.pool_q.weight"},
    "mvit_v2": {f"body.blocks.4.attn.{name}" for name in ("rel_pos_h", "rel_pos_w", "rel_pos_t", "pool_q.pool.weight")},
}
# Convolutions in half precision take many seconds on a processor; S3D's are of the shapes that were seen to fail.
HEAVY = {(name, torch.float16) for name in ("slow", "slowfast", "s3d")}
HEAVY |= {(name, torch.bfloat16) for name in ("slow", "slowfast")}
# Millions of parameters, and G multiply-adds where the clip of the published figure is that of the table
# (the authors of Slow and SlowFast count at 256 pixels).
PUBLISHED = {
    "x3d_xs": (3.79, 0.60, None),
    "x3d_s": (3.79, 1.96, None),
    "x3d_m": (3.79, 4.73, None),
    "x3d_l": (6.15, 18.37, None),
    "slow_r50": (32.45, 54.52, 256),
    "slowfast_r50": (34.57, 65.71, 256),
    "slowfast_r101": (62.83, None, None),
    "mvit_v1_b_16x4": (36.61, 70.5, None),
    "mvit_v1_b_32x3": (36.61, 170, None),
    "s3d": (8.32, 17.98, None),
    "swin3d_t": (28.2, 88, None),
    "swin3d_s": (49.8, 166, None),
    "swin3d_b": (88.1, 282, None),
    "mvit_v2_s": (34.5, 64, None),
    "mvit_v2_b": (51.2, 225, None),
}


def small(name: str):
    """A network with every parameter and running statistic away from where it starts."""
    torch.manual_seed(0)
    network = network_class(name.split()[0])(classes=5, **SMALL[name])
    with torch.no_grad():
        for key, tensor in (*network.named_parameters(), *network.named_buffers()):
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point():
                fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
                tensor.add_(torch.randn_like(tensor), alpha=0.1 if tensor.dim() < 2 else 0.7 * fan_in**-0.5)
    return network


def clips(name: str, count: int = 2):
    frames, (rows, columns) = SMALL[name]["frames"], SMALL[name]["size"]
    return torch.randn(count, frames, 3, rows, columns, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SMALL)
def test_logits_of_a_clip_are_its_own(name):
    network, x = small(name).eval(), clips(name)
    other = x.clone()
    other[1] += 1.0
    with torch.no_grad():
        logits, moved = network(x), network(other)
    assert logits.shape == (2, 5)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(moved[0], logits[0])
    assert (moved[1] - logits[1]).abs().max() > 1e-6
    assert (logits.sum(1) - 1).abs().min() > 1e-4, "scores, not logits"


@pytest.mark.parametrize("name", SMALL)
def test_every_frame_counts_and_every_parameter_learns(name):
    network, x = small(name), clips(name).requires_grad_()
    (network(x) * torch.arange(1.0, 6.0)).square().sum().backward()
    assert bool((x.grad.abs().amax((2, 3, 4)) > 0).all())
    idle = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().max() > 0)}
    assert idle == IDLE.get(name, set())


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=[pytest.mark.slow] * ((name, dtype) in HEAVY))
        for name in SMALL
        for dtype in (torch.bfloat16, torch.float16)
    ],
    ids=str,
)
def test_half_precision_is_finite(name, dtype):
    network, x = small(name), clips(name).requires_grad_()
    # As a run does: some of a processor's kernels may be broken.
    for line in avoid_broken_kernels(network, x.detach(), dtype=dtype, backward=True):
        print(line)
    with torch.autocast("cpu", dtype=dtype):
        logits = network(x)
    logits.float().sum().backward()
    assert bool(logits.isfinite().all())
    assert bool(x.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name):
    facts = BASELINES[name]
    parameters, macs, size = PUBLISHED[name]
    if size is None:
        counted = COSTS[name]  # by test_cost
    else:
        clip = {"frames": facts["frames"], "size": size}
        with torch.device("meta"):
            built = network_class(facts["network"])(classes=400, **clip, **facts["options"])
        cost = count_cost(built, **clip)[""]
        counted = cost.parameters, cost.macs
    assert counted[0] / 1e6 == pytest.approx(parameters, abs=0.06 if parameters * 10 % 1 == 0 else 0.006)
    if macs is not None:
        assert counted[1] / 1e9 == pytest.approx(macs, rel=5e-3, abs=6e-3)


def test_every_size_names_a_network_and_every_baseline_has_a_size():
    networks = {facts["network"] for facts in BASELINES.values()}
    assert networks == {name.split()[0] for name in SMALL}
    assert networks <= set(NETWORKS)
    assert set(BASELINES) == {*PUBLISHED, "x3d_m_tl8at3"}


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in SMALL}))
def test_a_clip_without_pixels_is_refused(name):
    with pytest.raises(ModelError, match=r"got"):
        network_class(name)(classes=5, frames=8, size=0)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("s3d", video.S3D_Weights.KINETICS400_V1),
        ("swin3d_t", video.Swin3D_T_Weights.KINETICS400_V1),
        ("mvit_v2_s", video.MViT_V2_S_Weights.KINETICS400_V1),
        ("mvit_v1_b_16x4", video.MViT_V1_B_Weights.KINETICS400_V1),
    ],
    ids=str,
)
def test_colours_are_normalised_as_the_library_s_weights_want_it(name, weights):
    wanted = weights.transforms()
    assert (list(BASELINES[name]["mean"]), list(BASELINES[name]["std"])) == (wanted.mean, wanted.std)
