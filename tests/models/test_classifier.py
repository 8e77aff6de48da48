"""A network behind its normalisation; saved models come back bit by bit, from a folder or from the hub."""

import json

import pytest
import torch
from safetensors import safe_open

from tests.models.per_colour import PerColour
from vidtok.errors import CheckpointError, ModelError
from vidtok.models import classifier as classifier_module
from vidtok.models.classifier import Classifier, is_pretrained, read_description
from vidtok.models.create import create_model

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def classifier(frames=4, size=(5, 6)):
    return Classifier(PerColour(frames=frames, size=size), mean=MEAN, std=STD, classes=("a", "b", "c"))


def test_pixels_are_normalised_by_colour():
    x = torch.zeros(2, 4, 3, 5, 6, dtype=torch.uint8)
    x[:, :, 0], x[:, :, 1], x[:, :, 2] = 0, 51, 255
    want = [(value / 255 - mean) / std for value, mean, std in zip((0, 51, 255), MEAN, STD, strict=True)]
    torch.testing.assert_close(classifier()(x), torch.tensor([want] * 2), rtol=1e-5, atol=1e-5)


def test_pixels_and_floats_stay_as_they_were_and_give_the_same_numbers():
    pixels = torch.randint(0, 256, (2, 4, 5, 6, 3), dtype=torch.uint8).movedim(-1, 2)  # in the decoder's order
    model, floats = classifier(), pixels.float().contiguous()
    before = floats.clone()
    want = (before / 255 - model.mean) / model.std
    for given in (pixels, floats):
        found = model.normalise(given)
        assert torch.equal(found, want)
        assert found.is_contiguous()
    assert torch.equal(pixels.float(), before)
    assert torch.equal(floats, before)


def test_floats_are_made_for_as_many_clips_as_go_through_the_network_at_once(monkeypatch):
    model, seen = classifier(), []
    normalise = model.normalise
    monkeypatch.setattr(model, "normalise", lambda x: (seen.append(len(x)), normalise(x))[1])
    x = torch.randint(0, 256, (5, 4, 3, 5, 6), dtype=torch.uint8)
    whole = model(x)
    model.network.clips_at_once = 2
    torch.testing.assert_close(model(x), whole, rtol=0, atol=1e-6)
    assert seen == [5, 2, 2, 1]
    assert model(x[:2]).shape == (2, 3)
    with pytest.raises(ModelError, match=r"built for clips of b 4 3 5 6"):
        model(torch.zeros(4, 3, 5, 6, dtype=torch.uint8))


def test_normalisation_is_not_among_the_weights():
    assert classifier().state_dict().keys() == {"network.head.weight"}
    assert classifier().classes == ("a", "b", "c")


def test_it_follows_the_precision_of_the_network():
    x = torch.randint(0, 256, (1, 2, 3, 4, 4), dtype=torch.uint8)
    assert classifier(2, 4).double()(x).dtype == torch.float64


def test_mean_and_std_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="std above 0"):
        Classifier(PerColour(frames=1, size=1), mean=MEAN, std=(1.0, 0.0, 1.0), classes=("a",))
    with pytest.raises(ModelError, match="each colour"):
        Classifier(PerColour(frames=1, size=1), mean=MEAN, std=(1.0,), classes=("a",))


def test_floats_are_refused_and_have_a_way_of_their_own():
    model = classifier()
    pixels = torch.randint(0, 256, (2, 4, 3, 5, 6), dtype=torch.uint8)
    for floats in (pixels / 255, pixels.float(), pixels.double(), pixels.long()):
        with pytest.raises(ModelError, match=rf"uint8, 0 to 255, .* got {floats.dtype}.*model.normalise\(x\)"):
            model(floats)
    floats = pixels.float().requires_grad_()
    logits = model.network(model.normalise(floats))
    torch.testing.assert_close(logits, model(pixels))
    logits.sum().backward()
    assert bool(floats.grad.any())


def test_clips_of_another_size_and_pictures_are_refused():
    for shape in ((1, 4, 3, 6, 5), (1, 3, 4, 5, 6), (4, 3, 5, 6)):
        with pytest.raises(ModelError, match=r"built for clips of b 4 3 5 6, in the order b f c y x"):
            classifier()(torch.zeros(shape, dtype=torch.uint8))
    assert classifier()(torch.zeros(0, 4, 3, 5, 6, dtype=torch.uint8)).shape == (0, 3)


# ---- saved and loaded ----

VIT = {"width": 24, "depth": 2, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 32}
STAGES = {"frames": 2, "size": 64, "widths": (8, 16, 24, 32), "depths": (1, 1, 1, 1)}
FAMILIES = {
    "vivit_b16x2_fsa": VIT,
    "vivit_b16x2_tl8at6": {**VIT, "token_learner": {"after_block": 1, "tokens": 3}},
    "vivit_b16x2_fe": {**VIT, "time_depth": 1},
    "videomae_b16x2": VIT,
    "stvit_base": {**STAGES, "heads": (1, 2, 3, 4), "projection": 16, "temporal_kernel": 3},
    "maxvit_tiny_tf_224": {**STAGES, "stem": 8, "head_width": 8, "window": (2, 2, 2)},
    "casvit_xs": {**STAGES, "dist_head": True},
    "x3d_xs": {"frames": 4, "size": 64},
    "swin3d_t": {"frames": 2, "size": 32, "width": 12, "depths": (1, 1, 1, 1), "heads": (1, 1, 1, 1)},
}


def model_of(name, **changes):
    torch.manual_seed(0)
    model = create_model(name, classes=("walk", "hop ü", "run"), **{**FAMILIES[name], **changes})
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor), alpha=0.1)
    return model.eval()


def clips(model):
    rows, columns = (model.architecture.size,) * 2
    generator = torch.Generator().manual_seed(1)
    shape = (2, model.architecture.frames, 3, rows, columns)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def assert_same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    assert all(ours[key].dtype == theirs[key].dtype and torch.equal(ours[key], theirs[key]) for key in ours)
    with torch.no_grad():
        assert torch.equal(one(clips(one)), other(clips(one)))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_saved_model_comes_back_bit_by_bit(name, tmp_path):
    model = model_of(name)
    model.save_pretrained(tmp_path / "model")
    again = Classifier.from_pretrained(tmp_path / "model")
    assert_same(model, again)
    assert not again.training
    assert (again.classes, again.architecture) == (model.classes, model.architecture)
    assert torch.equal(again.mean, model.mean)
    # And once more, over the files that the weights came from.
    again.save_pretrained(tmp_path / "model")
    assert_same(model, Classifier.from_pretrained(tmp_path / "model"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_precision_comes_back(dtype, tmp_path):
    model = model_of("vivit_b16x2_fsa").to(dtype)
    model.save_pretrained(tmp_path)
    assert_same(model, Classifier.from_pretrained(tmp_path))


def test_config_json_tells_the_model(tmp_path):
    model = model_of("vivit_b16x2_tl8at6", mean=(0.1, 0.2, 0.3))
    model.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert told["class_names"] == ["walk", "hop ü", "run"]
    assert told["normalisation"] == {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}
    assert (told["model"]["network"], told["model"]["frames"], told["model"]["size"]) == ("vivit", 4, 32)
    assert told["model"]["options"]["token_learner"] == {"after_block": 1, "tokens": 3}
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["vidtok"]) == told
    assert "vidtok" in (tmp_path / "README.md").read_text()


def test_a_model_comes_from_the_hub(tmp_path, monkeypatch):
    model = model_of("casvit_xs")
    model.save_pretrained(tmp_path)
    asked = []

    def download(repo_id, filename, **options):
        asked.append((repo_id, filename, options["revision"]))
        return str(tmp_path / filename)

    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", lambda **options: download(**options))
    monkeypatch.setattr(classifier_module, "hf_hub_download", download)
    assert_same(model, Classifier.from_pretrained("someone/casvit", revision="v1"))
    assert asked == [("someone/casvit", "config.json", "v1"), ("someone/casvit", "model.safetensors", "v1")]


def test_the_hub_s_refusals_are_told(monkeypatch):
    def refuse(**options):
        raise OSError("no such repository")

    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", refuse)
    with pytest.raises(CheckpointError, match=r"someone/none: neither a folder .* no such repository"):
        Classifier.from_pretrained("someone/none")
    with pytest.raises(CheckpointError, match="no/such/folder: neither a folder"):
        Classifier.from_pretrained("no/such/folder")


def test_a_folder_with_a_pickle_alone_is_refused(tmp_path):
    model = model_of("casvit_xs")
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"model.safetensors missing.*pytorch_model.bin is not read from here"):
        Classifier.from_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config.json and model.safetensors missing"):
        Classifier.from_pretrained(tmp_path)


def test_damaged_and_strange_files_are_told(tmp_path):
    model = model_of("casvit_xs")
    model.save_pretrained(tmp_path)
    text = (tmp_path / "config.json").read_text(encoding="utf-8")
    for old, new, message in (
        ("vidtok model 1", "other", "not a model of vidtok"),
        ('"model"', '"modle"', r"not a whole description of a model: KeyError\('model'\)"),
        ('"hop ü",', "", "damaged, or not this model's weights"),
    ):
        (tmp_path / "config.json").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(CheckpointError, match=message):
            Classifier.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text[:-20], encoding="utf-8")
    with pytest.raises(CheckpointError, match="neither a folder"):
        Classifier.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-50])
    with pytest.raises(CheckpointError, match="damaged"):
        Classifier.from_pretrained(tmp_path)


def test_a_model_without_a_plan_cannot_be_saved(tmp_path):
    model = Classifier(PerColour(), mean=(0.5,) * 3, std=(0.5,) * 3, classes=tuple("abc"))
    with pytest.raises(ModelError, match="PerColour: a model is saved with the plan of its network"):
        model.save_pretrained(tmp_path)


def test_a_card_of_ours_is_written_anew_and_another_s_is_kept(tmp_path):
    model, card = model_of("casvit_xs"), tmp_path / "README.md"
    model.save_pretrained(tmp_path)
    ours = card.read_text(encoding="utf-8")
    card.write_text(ours + "more", encoding="utf-8")
    model.save_pretrained(tmp_path)
    assert card.read_text(encoding="utf-8") == ours
    card.write_text("# Mine", encoding="utf-8")
    model.save_pretrained(tmp_path)
    assert card.read_text(encoding="utf-8") == "# Mine"
    told = (tmp_path / "config.json").read_text(encoding="utf-8")
    assert '"hop ü"' in told
    assert is_pretrained(tmp_path)
    assert not is_pretrained(tmp_path / "none")
    assert read_description(tmp_path / "model.safetensors") == json.loads(told)


def test_the_hub_is_asked_for_what_was_said_and_nothing_else(tmp_path, monkeypatch):
    model = model_of("casvit_xs")
    model.save_pretrained(tmp_path)
    asked = []

    def download(*names, **options):
        asked.append(options)
        return str(tmp_path / (names[1] if names else options["filename"]))

    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", download)
    monkeypatch.setattr(classifier_module, "hf_hub_download", download)
    said = {"cache_dir": str(tmp_path / "cache"), "force_download": True, "local_files_only": True, "token": "t"}
    for options in ({}, said):
        asked.clear()
        Classifier.from_pretrained("someone/casvit", **options)
        wanted = {"revision": None, "cache_dir": None, "token": None, **dict.fromkeys(list(said)[1:3], False)} | options
        assert len(asked) == 2
        for each in asked:
            assert {name: each[name] for name in wanted} == wanted


def test_what_stands_in_the_description_comes_back(tmp_path):
    description = model_of("casvit_xs").describe()
    assert "clip" not in description
    assert "provenance" not in description
    with pytest.raises(CheckpointError, match=r"x: not a model of vidtok .*vidtok.create_model\(NAME, weights=FOLDER"):
        Classifier.from_description({"model_type": "vivit"}, source="x")
    with pytest.raises(CheckpointError, match=r"x: not a model of vidtok \(its format is not 'vidtok model 1'\)$"):
        Classifier.from_description({}, source="x")
    wide = {**description, "model": {**description["model"], "size": [64, 96]}}
    assert Classifier.from_description(wide, source="x").network.clip == (2, 64, 96)
    model = model_of("casvit_xs")
    state = torch.get_rng_state()
    Classifier.from_description(model.describe(), source="x")
    assert torch.equal(torch.get_rng_state(), state), "weights are drawn beside the caller's generator"
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("nan")
    model.write_weights(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="is not finite"):
        model_of("casvit_xs").read_weights(tmp_path / "w.safetensors")
