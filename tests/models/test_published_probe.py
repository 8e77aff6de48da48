"""A published probe with its encoder as a model: made by command, tested by its protocol, the protocol's own scores."""

import dataclasses

import numpy as np
import pytest
import torch
from einops import rearrange
from transformers import VJEPA2Config, VJEPA2ForVideoClassification

import vidtok
from tests.models.weights.test_vjepa2_probe import meta_state
from tests.video.clips import make_clip
from vidtok.cli import convert
from vidtok.cli import test as test_command
from vidtok.errors import CheckpointError, ConfigError, ModelError
from vidtok.models import probe_protocols
from vidtok.models.encoders import find_encoder
from vidtok.models.probe_protocols import ProbeProtocol, probe_scores
from vidtok.models.published_probe import published_probe
from vidtok.models.weights.vjepa2_probe import make_vjepa2_probe, read_vjepa2_probe
from vidtok.runs.convert import run_convert
from vidtok.video.reader import open_video

TINY = ProbeProtocol(encoder="tiny", classes=2, frames=4, stride=2, segments=2, crops=3, size=32, layers=(0, 1))
MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A folder with transformers' encoder, a file of Meta's probe for it, and the model of both."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    sizes = {"crop_size": 32, "frames_per_clip": 4, "patch_size": 16, "hidden_size": 32, "num_attention_heads": 2}
    predictor = {"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    plan = VJEPA2Config(**sizes, **predictor, num_hidden_layers=2, mlp_ratio=2.0, num_pooler_layers=3, num_labels=2)
    model = VJEPA2ForVideoClassification(plan).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    model.vjepa2.save_pretrained(folder / "encoder")
    (folder / "encoder" / "preprocessor_config.json").write_text(
        f'{{"size": 32, "do_center_crop": false, "image_mean": {list(MEAN)}, "image_std": {list(STD)}}}'
    )
    torch.save({"classifiers": [meta_state(model)]}, folder / "tiny.pt")
    return folder, model


@pytest.fixture(autouse=True)
def _tiny_protocol(monkeypatch):
    monkeypatch.setattr(probe_protocols, "VJEPA2_PROBES", {"tiny": TINY})


def by_hand(folder, model, video) -> torch.Tensor:
    """The scores by the protocol's own function, on clips and crops that are cut here."""
    with open_video(video) as reader:
        clips = [reader.frames_at(own.tolist(), short_side=32).pixels for own in TINY.clips(len(reader))]
    width = clips[0].shape[3]
    crops = torch.stack([torch.stack([clip[..., left : left + 32] for left in (0, (width - 32) // 2, width - 32)])
                         for clip in clips])  # fmt: skip
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    pixels = (crops / 255 - mean) / std

    def tokens_of(some):
        hidden = model.vjepa2(some, skip_predictor=True, output_hidden_states=True).hidden_states
        return [model.vjepa2.encoder.layernorm(hidden[layer + 1]) for layer in TINY.layers]

    probe = make_vjepa2_probe(read_vjepa2_probe(folder / "tiny.pt"), norm_eps=1e-5)
    return probe_scores(probe, tokens_of, rearrange(pixels, "g v f c y x -> 1 g v f c y x"), protocol=TINY)[0]


def test_convert_and_test_give_the_scores_of_the_protocol(theirs, tmp_path, capsys):
    folder, model = theirs
    for name in "ab":
        (tmp_path / "clips" / name).mkdir(parents=True)
    videos = [make_clip(tmp_path / "clips" / name / "a.mp4", frames=frames) for name, frames in (("a", 40), ("b", 13))]
    (tmp_path / "names.txt").write_text("a\nb\n")
    out = tmp_path / "made" / "tiny.safetensors"
    own = [str(folder / "tiny.pt"), "--encoder", str(folder / "encoder"), "--classes", str(tmp_path / "names.txt")]
    assert convert.run([*own, "--to", str(out)]) == 0
    assert "eval.protocol=vjepa2_2x3" in capsys.readouterr().out
    listed = ["--checkpoint", str(out), "--list", str(tmp_path / "clips"), "--out", str(tmp_path / "test")]
    assert test_command.run([*listed, "eval.protocol=vjepa2_2x3", "data.workers=0", "eval.report=false"]) == 0
    with np.load(tmp_path / "test" / "predictions.npz") as tested:
        found = dict(zip(tested["video"].tolist(), torch.from_numpy(tested["scores"]), strict=True))
    loaded = vidtok.load(out)
    for video in videos:
        wanted = by_hand(folder, model, video)
        own = next(scores for name, scores in found.items() if str(video).endswith(name))
        torch.testing.assert_close(own.float(), wanted, rtol=0, atol=1e-4)
        python = loaded.predict(video, clips=2, crops=3, aggregate="scores").scores
        torch.testing.assert_close(python, wanted, rtol=0, atol=1e-4)
    assert not torch.allclose(loaded.predict(video, clips=1, crops=3, aggregate="scores").scores, wanted, atol=1e-4)


def test_what_does_not_fit_is_refused(theirs, tmp_path):
    folder, _ = theirs
    weights, state = find_encoder(str(folder / "encoder")), read_vjepa2_probe(folder / "tiny.pt")
    with pytest.raises(CheckpointError, match="tells 2 classes apart, 3 are named"):
        published_probe(weights, state, protocol=TINY, classes=("a", "b", "c"))
    assert published_probe(weights, state, protocol=TINY).classes == ("0", "1")
    wide = {**state, "pooler.query_tokens": torch.zeros(1, 1, 48)}
    with pytest.raises(CheckpointError):
        published_probe(weights, wide, protocol=TINY)
    with pytest.raises(ModelError, match="the encoder has blocks 0 to 1"):
        published_probe(weights, state, protocol=dataclasses.replace(TINY, layers=(2,)))
    given = {"source": folder / "tiny.pt", "to": tmp_path / "x.safetensors"}
    with pytest.raises(ModelError, match="no protocol of a probe is called 'none'; there are tiny"):
        run_convert(**given, encoder=str(folder / "encoder"), protocol="none")
    with pytest.raises(ConfigError, match="name its encoder with --encoder"):
        run_convert(**given, protocol="tiny")
    with pytest.raises(ConfigError, match="leave --model and --source-grid out"):
        run_convert(**given, encoder=str(folder / "encoder"), model="vivit")
