"""Weights of vidtok's own into its networks: of other clips, of images, with another last layer."""

import pytest
import torch

from tests.models.weights.test_files import CONV, same, vivit
from vidtok.errors import CheckpointError
from vidtok.models.create import create_model
from vidtok.models.weights.files import read_weights


def test_our_own_weights_come_from_every_file_of_ours(tmp_path):
    torch.manual_seed(0)
    model = vivit()
    model.save_pretrained(tmp_path / "folder")
    torch.save(model.state_dict(), tmp_path / "state.pth")
    torch.save(model.network.state_dict(), tmp_path / "network.pth")
    torch.save({f"module.{key}": value for key, value in model.state_dict().items()}, tmp_path / "parallel.pth")
    for name in ("folder", "state.pth", "network.pth", "parallel.pth"):
        again = vivit()
        report = read_weights(tmp_path / name).load_into(again)
        assert not report.missing + report.skipped + report.resized
        assert same(model, again, model.state_dict())


def test_the_last_layer_stays_out_where_the_classes_are_others(tmp_path):
    torch.manual_seed(0)
    model = vivit()
    with torch.no_grad():
        model.network.head.logits.weight.fill_(1.0)
    model.save_pretrained(tmp_path)
    head = ["head.logits.bias", "head.logits.weight"]
    for classes in (("c", "b", "a"), ("a", "b")):
        other = vivit(classes=classes)
        report = read_weights(tmp_path).load_into(other)
        assert sorted(report.missing) == head
        assert len(report.skipped) == 2
        assert not other.network.head.logits.weight.any()
        assert same(model, other, [key for key in model.state_dict() if ".head." not in key])
    assert not read_weights(tmp_path).load_into(vivit(classes=3)).missing


def test_learned_positions_are_resized_to_another_clip(tmp_path):
    torch.manual_seed(0)
    model, longer = vivit(), vivit(frames=6)
    model.save_pretrained(tmp_path)
    report = read_weights(tmp_path).load_into(longer)
    assert report.resized == ("encoder.position.table (2 x 4 x 4 -> 3 x 4 x 4)",)
    ours, theirs = longer.network.position.table, model.network.position.table
    torch.testing.assert_close(ours[0::2], theirs)
    torch.testing.assert_close(ours[1], theirs.mean(dim=0))


def test_our_image_weights_inflate(tmp_path):
    torch.manual_seed(0)
    image = create_model("casvit_xs", classes=3, **CONV)
    image.save_pretrained(tmp_path)
    clip = create_model("casvit_xs", classes=3, **{**CONV, "frames": 4}, temporal_kernel=3)
    report = read_weights(tmp_path).load_into(clip)
    assert "stem.0.weight (inflated to 3 time steps, central)" in report.resized
    assert torch.equal(clip.network.stem[0].weight[:, :, 1], image.network.stem[0].weight[:, :, 0])


def test_a_library_s_own_weights_go_into_its_baseline(tmp_path):
    torch.manual_seed(0)
    model = create_model("x3d_xs", classes=3, frames=4, size=64)
    torch.save({"model_state": model.network.body.state_dict()}, tmp_path / "X3D.pyth")
    again = create_model("x3d_xs", classes=3, frames=4, size=64)
    assert not read_weights(tmp_path / "X3D.pyth").load_into(again).missing
    assert same(model, again, model.state_dict())
    other = create_model("x3d_xs", classes=4, frames=4, size=64)
    assert len(read_weights(tmp_path / "X3D.pyth").load_into(other).missing) == 2


def test_our_own_weights_of_another_size_are_told_with_file_and_key(tmp_path):
    vivit().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"model.safetensors .*encoder.blocks.0.mlp.*\(24, 96\) does not fit"):
        read_weights(tmp_path).load_into(vivit(mlp_ratio=2.0))
    with pytest.raises(CheckpointError, match=r"(?s)model.safetensors .*neither the network's own"):
        read_weights(tmp_path).load_into(create_model("casvit_xs", classes=3, **CONV))


def test_positions_in_one_row_are_not_taken_for_another_picture(tmp_path):
    """32 x 64 and 64 x 32 pixels have as many places."""
    make = {"classes": 3, "frames": 4, "depths": (1, 1, 1, 1), "width": 8}
    model = create_model("mvit_v1_b_16x4", size=(32, 64), **make)
    model.save_pretrained(tmp_path)
    again = create_model("mvit_v1_b_16x4", size=(32, 64), weights=tmp_path, **make)
    assert same(model, again, model.state_dict())
    with pytest.raises(CheckpointError, match=r"pos_embed_spatial: positions of a picture of 32 x 64 .*size=.32, 64"):
        create_model("mvit_v1_b_16x4", size=(64, 32), weights=tmp_path, **make)


def test_heads_that_no_shape_shows_are_held_to_the_file_s_and_other_options_are_said(tmp_path):
    sizes = {"classes": 3, "frames": 4, "size": 32, "width": 24, "depth": 1, "heads": 2, "tubelet": (2, 8, 8)}
    made = create_model("vivit_factorised", **sizes, time_depth=1, time_heads=2)
    made.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"made with time_heads=2, the network has 3: set time_heads=2"):
        create_model("vivit_factorised", weights=tmp_path, **sizes, time_depth=1, time_heads=3)
    other = create_model("vivit_factorised", **sizes, time_depth=1, time_heads=2, norm_eps=0.5, dropout=0.25)
    report = read_weights(tmp_path).load_into(other)
    assert report.notes == ("the weights were made with norm_eps=1e-06, the network has 0.5",)
