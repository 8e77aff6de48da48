import pytest
import torch
from torchvision.models import video

from tests.models.contract import keeps_the_contract, looks_where_the_mark_is
from vidtok.errors import ModelError
from vidtok.models.baselines_mvit_v1 import MViTv1
from vidtok.models.baselines_torchvision import S3D, MViTv2, Swin3D
from vidtok.models.cost import count_cost

SMALL = {"depths": (2, 2, 18, 2)}
BASE = {"depths": (2, 2, 18, 2), "width": 128, "heads": (4, 8, 16, 32)}


@pytest.mark.parametrize(
    ("weights", "cls", "frames", "options"),
    [
        (video.S3D_Weights.KINETICS400_V1, S3D, 16, {}),
        # The library's figure for the Swin networks is that of 16 frames, although its weights are tested with 32.
        (video.Swin3D_T_Weights.KINETICS400_V1, Swin3D, 16, {}),
        (video.Swin3D_S_Weights.KINETICS400_V1, Swin3D, 16, SMALL),
        (video.Swin3D_B_Weights.KINETICS400_V1, Swin3D, 16, BASE),
        (video.MViT_V2_S_Weights.KINETICS400_V1, MViTv2, 16, {}),
        (video.MViT_V1_B_Weights.KINETICS400_V1, MViTv1, 16, {}),
    ],
    ids=str,
)
def test_parameters_and_multiply_adds_are_those_that_the_library_states(weights, cls, frames, options):
    with torch.device("meta"):
        network = cls(classes=400, frames=frames, **options)
    cost = count_cost(network, frames=frames, size=224)[""]
    assert cost.parameters == weights.meta["num_params"]
    assert cost.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4)


@pytest.mark.parametrize(
    ("build", "cls", "options"),
    [
        (video.s3d, S3D, {}),
        (video.swin3d_t, Swin3D, {}),
        (video.swin3d_b, Swin3D, BASE),
        (video.mvit_v2_s, MViTv2, {}),
    ],
)
def test_published_weights_fit(build, cls, options):
    with torch.device("meta"):
        ours, theirs = cls(classes=400, **options).body, build()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_s3d_gives_the_library_s_logits():
    torch.manual_seed(0)
    ours, theirs = S3D(classes=400).eval(), video.s3d().eval()
    theirs.load_state_dict(ours.body.state_dict())
    clip = torch.randn(1, 16, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(ours(clip), theirs(clip.transpose(1, 2)))


@pytest.mark.parametrize("clip", [(5, 17, 17), (9, 40, 33), (32, 64, 96)], ids=str)
def test_s3d_takes_small_clips_and_knows_its_grid(clip):
    network = S3D(classes=5, frames=clip[0], size=clip[1:]).eval()
    shapes = []
    network.body.features.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[2:])))
    with torch.no_grad():
        assert network(torch.randn(1, clip[0], 3, *clip[1:])).shape == (1, 5)
    assert shapes == [network.grid]


@pytest.mark.parametrize("clip", [(4, 32, 48), (5, 37, 50)], ids=str)
def test_swin_fills_up_and_knows_its_grid(clip):
    network = Swin3D(classes=5, frames=clip[0], size=clip[1:], width=12, depths=(1, 1, 1, 1), heads=(1, 2, 3, 4)).eval()
    shapes = []
    network.body.features.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:4])))
    with torch.no_grad():
        assert network(torch.randn(1, clip[0], 3, *clip[1:])).shape == (1, 5)
    assert shapes == [network.grid]


def test_what_does_not_fit_is_said():
    with pytest.raises(ModelError, match=r"at least 5 frames of 17 × 17 pixels, got frames=4"):
        S3D(classes=5, frames=4)
    with pytest.raises(ModelError, match=r"not so: 5 heads, width 96"):
        Swin3D(classes=5, heads=(5, 6, 12, 24))
    with pytest.raises(ModelError, match=r"width of 96 does not divide into 5 heads"):
        MViTv2(classes=5, heads=5)
    with pytest.raises(ModelError, match=r"frames=3, size=\(224, 224\)"):
        MViTv2(classes=5, frames=3)


@pytest.mark.parametrize("name", ["s3d", "swin3d", "mvit_v2"])
def test_the_contract(name):
    keeps_the_contract(name)
    if name != "s3d":
        looks_where_the_mark_is(name)
