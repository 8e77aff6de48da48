import pytest
import timm
import torch

from vidtok.errors import CheckpointError
from vidtok.models.vivit import ViViT
from vidtok.models.vivit_factorised import FactorisedEncoderViViT
from vidtok.models.weights.timm_vit import load_timm_vit
from vidtok.nn.position import resize_table
from vidtok.nn.token_learner import TokenLearnerOptions

TIME, SPACE = {"name": "mhsa", "axes": "time"}, {"name": "mhsa", "axes": "space"}


def image_vit(**options):
    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=24, depth=2, num_heads=2, num_classes=5, patch_size=8, **options
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.double().eval()


def video_vit(cls=ViViT, **options):
    sizes = {"classes": 5, "frames": 1, "size": 32, "tubelet": (1, 8, 8), "width": 24, "depth": 2, "heads": 2}
    return cls(**{**sizes, "gelu": "erf", "pool": "cls", **options}).double().eval()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"class_token": False, "global_pool": "avg"}, {"pool": "mean", "norm_position": "after_pool"}),
        ({"class_token": False, "global_pool": "avg", "fc_norm": False}, {"pool": "mean"}),
    ],
    ids=["class token", "norm after the mean", "norm before the mean"],
)
def test_a_picture_gives_the_same_logits(theirs, ours):
    image, video = image_vit(**theirs), video_vit(**ours)
    report = load_timm_vit(video, image.state_dict())
    assert not report.missing + report.resized + report.skipped + report.notes, report
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(video(x.unsqueeze(1)), image(x), rtol=1e-8, atol=1e-8)


def test_a_clip_takes_the_inflated_kernel_and_repeated_positions():
    image, video = image_vit(), video_vit(frames=4, tubelet=(2, 8, 8), size=(48, 32), pool="mean", classes=7)
    report = load_timm_vit(video, image.state_dict())
    kernel = video.tokenizer.projection.weight
    assert torch.equal(kernel[:, :, 1], image.patch_embed.proj.weight)
    assert not kernel[:, :, 0].any()
    table = video.encoder.position.table
    assert table.shape == (2, 6, 4, 24)
    assert torch.equal(table[0], table[1])
    want = resize_table(image.pos_embed[0, 1:].reshape(1, 4, 4, 24), (1, 6, 4))
    torch.testing.assert_close(table[:1], want)
    assert any("4 x 4 -> 2 x 6 x 4" in line for line in report.resized), report
    assert {line.split(" ")[0] for line in report.skipped} == {"cls_token", "head.weight", "head.bias"}
    assert report.missing == ("head.logits.bias", "head.logits.weight")


def test_separable_positions_take_a_picture_s_places_and_keep_their_times():
    image = image_vit()
    video = video_vit(frames=4, tubelet=(2, 8, 8), size=(48, 32), pool="mean", position="learned_separable")
    times = video.encoder.time_position.table.clone()
    report = load_timm_vit(video, image.state_dict())
    want = resize_table(image.pos_embed[0, 1:].reshape(1, 4, 4, 24), (1, 6, 4))
    torch.testing.assert_close(video.encoder.position.table, want)
    assert torch.equal(video.encoder.time_position.table, times)
    assert "encoder.time_position.table" in report.missing


@pytest.mark.parametrize("zero", [False, True])
def test_attention_over_time_starts_as_the_picture_s_or_adds_nothing(zero):
    image, video = image_vit(), video_vit(pool="mean", frames=2, mixer=[[SPACE, TIME]])
    load_timm_vit(video, image.state_dict(), zero_time_attention=zero)
    over_space, over_time = video.blocks[1].mixers
    assert torch.equal(over_space.qkv.weight, over_time.qkv.weight)
    assert torch.equal(over_space.qkv.weight, image.blocks[1].attn.qkv.weight)
    assert bool(over_time.projection.weight.any()) is not zero
    assert bool(over_time(torch.randn(1, 2, 4, 4, 24, dtype=torch.float64)).any()) is not zero
    assert over_space.projection.weight.any()


def test_token_learner_and_the_time_encoder_keep_their_start():
    learner = video_vit(pool="mean", token_learner=TokenLearnerOptions(after_block=1))
    report = load_timm_vit(learner, image_vit().state_dict())
    assert {name.rsplit(".", 3)[0] for name in report.missing} <= {"encoder.token_learners.0", "encoder.token_learners"}
    fe = video_vit(FactorisedEncoderViViT, frames=2)
    report = load_timm_vit(fe, image_vit().state_dict())
    assert {name.split(".")[0] for name in report.missing} == {"time", "time_pool"}


def test_what_does_not_fit_is_named():
    state = image_vit().state_dict()
    with pytest.raises(CheckpointError, match=r"blocks\.1\.attn\.proj\.bias"):
        load_timm_vit(video_vit(depth=1), state)
    with pytest.raises(CheckpointError, match=r"no 'blocks\.2\.attn\.qkv\.weight'"):
        load_timm_vit(video_vit(depth=3), state)
    with pytest.raises(CheckpointError, match="patch_embed"):
        load_timm_vit(video_vit(width=48), state)
    with pytest.raises(CheckpointError, match="SuperToken"):
        load_timm_vit(video_vit(pool="mean", mixer={"name": "super_token"}), state)
    with pytest.raises(CheckpointError, match="`norm_position`=before_pool"):
        load_timm_vit(video_vit(norm_position="after_pool"), state)
    with pytest.raises(CheckpointError, match="set `position`=learned"):
        load_timm_vit(video_vit(position="none"), state)
    with pytest.raises(CheckpointError, match="4 x 3"):
        load_timm_vit(video_vit(), state, source_grid=(1, 4, 3))


def test_another_form_of_gelu_is_noted():
    report = load_timm_vit(video_vit(gelu="tanh", norm_eps=1e-5), image_vit().state_dict())
    assert [note.split(" ")[-1] for note in report.notes] == ["`gelu`", "`norm_eps`", "`last_norm_eps`"]
