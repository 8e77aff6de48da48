import logging
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

import tests.golden
from tests.golden.case import Case
from vidtok.errors import CheckpointError, ModelError
from vidtok.models.casvit import CASViT
from vidtok.models.create import create_model
from vidtok.models.vivit import ViViT
from vidtok.models.weights.files import read_weights

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


def saved(tmp_path, name="vivit_b16x2", **changes):
    model = create_model(name, classes=("a", "b"), **{**SMALL, **changes})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    model.save_pretrained(tmp_path / "saved")
    return model


FED = {"mean": (0.1, 0.2, 0.3), "std": (0.25, 0.5, 0.25), "frames": 8, "size": (32, 48)}
FORM = {"gelu": "erf", "norm_eps": 1e-3, "heads": 3, "mlp_ratio": 2.0, "norm_position": "after_pool", "pool": "mean"}


@pytest.mark.parametrize("form", ["folder", "file", "checkpoint"])
def test_what_saved_weights_say_of_themselves_is_followed(tmp_path, caplog, form):
    model = saved(tmp_path, **FED, **FORM)
    path = tmp_path / "saved"
    if form == "file":
        path = path / "model.safetensors"
    elif form == "checkpoint":
        path = tmp_path / "checkpoint.pt"
        state = {"model": model.state_dict(), "classes": list(model.classes), "description": model.describe()}
        torch.save(state, path)
    again = create_model("vivit_b16x2", weights=path)
    assert again.architecture.frames == 8
    assert (again.normalisation, again.classes) == (model.normalisation, model.classes)
    clips = torch.randint(0, 256, (2, 8, 3, 32, 48), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(again.eval()(clips), model.eval()(clips))
    assert "heads=3 as the weights say, where vivit_b16x2 has 12" in caplog.text
    assert "made for" not in caplog.text


def test_what_is_given_comes_before_it_and_the_difference_is_said(tmp_path, caplog):
    saved(tmp_path, **FED)
    again = create_model("vivit_b16x2", weights=tmp_path / "saved", std=(0.5, 0.5, 0.5), frames=4, norm_eps=1e-2)
    assert again.normalisation == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    said = "normalised by mean [0.1, 0.2, 0.3] and std [0.25, 0.5, 0.25], the model normalises by mean [0.1, 0.2, 0.3]"
    assert said in caplog.text
    assert "made for clips of 8 x 32 x 48, the model's are 4 x 32 x 48" in caplog.text
    assert "resized: encoder.position.table (4 x 4 x 6 -> 2 x 4 x 6)" in caplog.text
    assert "the weights were made with norm_eps=1e-06, the network has 0.01" in caplog.text
    with pytest.raises(CheckpointError, match="the weights were made with heads=2, the network has 4: set heads=2"):
        create_model("vivit_b16x2", weights=tmp_path / "saved", heads=4)


def test_a_default_is_the_files_word_too(tmp_path, caplog):
    """videomae_b16x2 has an exact GELU; the file leaves the tanh form out, which is the default, and means it."""
    model = saved(tmp_path, name="vivit_b16x2_fsa", mixer={"name": "mhsa"})
    again = create_model("videomae_b16x2", weights=tmp_path / "saved")
    clips = torch.randint(0, 256, (2, 4, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(again.eval()(clips), model.eval()(clips))
    assert "gelu=tanh as the weights say, where videomae_b16x2 has erf" in caplog.text


def test_what_a_name_adds_to_the_weights_stays(tmp_path):
    saved(tmp_path)
    learner = {"after_block": 1, "tokens": 2}
    model = create_model("vivit_b16x2_tl8at6", weights=tmp_path / "saved", token_learner=learner)
    assert (model.network.after_block, model.network.pool.kind) == (1, "mean")


def test_image_weights_become_a_clips(tmp_path, caplog):
    sizes = {"frames": 1, "size": 64, "widths": (8, 12, 16, 20), "depths": (1, 1, 1, 1)}
    create_model("casvit_xs", classes=3, **sizes).save_pretrained(tmp_path)
    model = create_model("casvit_xs", weights=tmp_path, frames=4, temporal_kernel=3)
    assert (model.architecture.frames, model.architecture.size) == (4, 64)
    assert "made for clips of 1 x 64 x 64, the model's are 4 x 64 x 64" in caplog.text


def test_the_normalisation_of_a_kind_is_followed_where_the_file_says_nothing(tmp_path):
    assert tests.golden.__file__ is not None
    image = Case.read(Path(tests.golden.__file__).parent / "casvit_tiny.json")
    torch.save({"model": {k: torch.from_numpy(v) for k, v in image.state().items()}}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth"):
        create_model("casvit_xs", weights=tmp_path / "x.pth", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    weights = read_weights(tmp_path / "x.pth")
    assert weights.normalisation == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    model = create_model("casvit_xs", classes=3, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert weights.made_for(model) == (
        "the weights were made for pixels normalised by mean [0.485, 0.456, 0.406] and std [0.229, 0.224, 0.225], the "
        "model normalises by mean [0.5, 0.5, 0.5] and std [0.5, 0.5, 0.5]",
    )
