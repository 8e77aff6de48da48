import logging

import numpy as np
import pytest
import timm
import torch

from vidtok.errors import CheckpointError, ModelError
from vidtok.models.casvit import CASViT
from vidtok.models.create import create_model
from vidtok.models.vivit import ViViT

SMALL = {"width": 24, "depth": 2, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 32}


def test_a_published_model_with_changes():
    model = create_model("vivit_b16x2_fsa", classes=["a", "b"], **SMALL)
    assert isinstance(model.network, ViViT)
    assert model.classes == ("a", "b")
    assert model.network.grid == (2, 4, 4)
    assert len(model.network.blocks[0].mixers) == 2
    assert model.training
    assert torch.equal(model.mean.flatten(), torch.full((3,), 0.5))
    assert model(torch.zeros(1, 4, 3, 32, 32, dtype=torch.uint8)).shape == (1, 2)


def test_what_is_not_given_is_the_published_model_s():
    model = create_model("casvit_xs")
    assert isinstance(model.network, CASViT)
    assert (len(model.classes), model.classes[:2]) == (1000, ("0", "1"))
    assert (model.architecture.frames, model.architecture.size) == (1, 224)
    torch.testing.assert_close(model.std.flatten(), torch.tensor([0.229, 0.224, 0.225]))


def test_a_network_by_its_own_name():
    model = create_model(
        "casvit", classes=3, frames=2, size=64, widths=(8, 8, 8, 8), mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0)
    )
    assert model.network.grid == (2, 2, 2)
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_what_cannot_work_is_told():
    with pytest.raises(ModelError, match=r"widht: unknown key; did you mean 'width'"):
        create_model("vivit_b16x2", widht=3)
    with pytest.raises(ModelError, match=r"(?s)create_model\('vivit_b16x2'\): .*depth: .*heads: "):
        create_model("vivit_b16x2", depth="two", heads=1.5)
    with pytest.raises(ModelError, match="did you mean 'vivit_b16x2"):
        create_model("vivit_b16x")
    with pytest.raises(ModelError, match="how many classes"):
        create_model("vivit")
    with pytest.raises(TypeError, match="neither a number"):
        create_model("vivit_b16x2", width=torch.ones(1))


def small_vit(tmp_path):
    image = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=24, depth=2, num_heads=2, num_classes=5, patch_size=8
    )
    torch.save(image.state_dict(), tmp_path / "vit.pth")
    return image


def test_weights_are_taken_and_what_they_lack_is_logged(tmp_path, caplog):
    image = small_vit(tmp_path)
    with caplog.at_level(logging.INFO):
        model = create_model("vivit_b16x2", classes=3, weights=tmp_path / "vit.pth", **SMALL)
    assert torch.equal(model.network.tokenizer.projection.weight[:, :, 1], image.patch_embed.proj.weight)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "2 parameters of the network keep their start" in record.message
    assert "missing: head.logits.weight" in record.message


def test_weights_of_our_own_are_taken_whole(tmp_path, caplog):
    model = create_model("vivit_b16x2_fsa", classes=("a", "b"), **SMALL)
    model.save_pretrained(tmp_path)
    with caplog.at_level(logging.INFO):
        again = create_model("vivit_b16x2_fsa", classes=2, weights=tmp_path, **SMALL)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_weights_of_another_network_are_refused(tmp_path):
    small_vit(tmp_path)
    with pytest.raises(CheckpointError, match=r"vit.pth \(timm ViT\): these weights fit ViViT or .* not CASViT"):
        create_model("casvit_xs", weights=tmp_path / "vit.pth")
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        create_model("casvit_xs", weights=tmp_path / "none.pth")
    np.savez(tmp_path / "x.npz", a=np.ones(2))
    with pytest.raises(CheckpointError, match="Looked for:"):
        create_model("casvit_xs", weights=tmp_path / "x.npz")
