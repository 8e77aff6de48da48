"""Fit with probes with attention: the same folds and report, and a saved model that says what was measured."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch

import vidtok
from tests.runs.own_clips import COLOURS, own_clips
from tests.runs.small_encoder import small_encoder
from tests.train.test_nested import videos
from vidtok.cli import fit
from vidtok.data.lists import open_list
from vidtok.errors import ConfigError
from vidtok.infer.predict import model_views
from vidtok.infer.summarise import fingerprint, frame_orders, read_tokens, video_key
from vidtok.models.architecture import Architecture
from vidtok.models.encoder_probe import EncoderProbe
from vidtok.models.token_probes import TOKEN_PROBES
from vidtok.runs import fit_tokens
from vidtok.runs.encoder_choice import choose_encoder
from vidtok.runs.fit import run_fit
from vidtok.runs.fit_model import encoder_model
from vidtok.runs.fit_tokens import MANY, TokenFit, probe_note, token_fit
from vidtok.train.attentive import Recipe, TokenFiles


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips")
    small_encoder(folder / "encoder")
    return folder


@pytest.fixture(scope="module", params=["attentive", pytest.param("token_learner", marks=pytest.mark.slow)])
def run(request, desk) -> tuple[Path, str, str]:
    """A run of `fit --probe`, its kind, and what it said."""
    folder = desk / request.param
    words = [str(desk / "clips"), "--out", str(folder), "--encoder", str(desk / "encoder"), "--group", r"/(p\d)_"]
    with redirect_stdout(io.StringIO()) as said, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_tokens, "RECIPE", Recipe(least_steps=100, rate=5e-3))
        assert fit.run([*words, "--frames", "3", "--probe", request.param]) == 0
    return folder, request.param, said.getvalue()


@pytest.mark.slow
def test_the_report_is_that_of_a_linear_probe_and_the_model_predicts(desk, run):
    folder, probe, said = run
    told = json.loads((folder / "fit.json").read_text("utf-8"))
    assert said.splitlines()[-1] == told["line"]
    assert told["line"].startswith(f"fit ok: top1 {told['plain']:.2f} ± ")
    assert "(3 folds, 18 videos) | one frame " in told["line"]
    assert f" | encoder, {probe} | " in told["line"]
    assert "note: blue has 6 clips: below 50 of each class a probe with attention" in said
    assert told["plain"] >= 0.8
    assert (told["features"], told["penalty"]) == (probe, None)
    assert len({(video["group"], video["fold"]) for video in told["videos"]}) == 3
    model = vidtok.load(folder / "model")
    assert isinstance(model.network, EncoderProbe)
    assert model.classes == tuple(sorted(COLOURS))


def test_what_the_model_says_is_what_the_probe_says_of_the_kept_tokens(desk, run):
    folder, probe, _ = run
    model, seen = vidtok.load(folder / "model"), TOKEN_PROBES[probe]
    linear = encoder_model(
        choose_encoder(str(desk / "encoder")), model.classes, summary="mean", frames=3, kind="softmax"
    )
    way = fingerprint(linear, model_views(linear))
    torch.nn.init.normal_(model.network.probe.head.weight)  # what few steps have taught would hide differences
    records = open_list(desk / "clips", root=None, classes=None, format="auto", part="train")[0]
    for record in list(records)[::5]:
        kept = read_tokens(folder / "features" / f"{video_key(record, way)}.{seen.reduction.name}.safetensors")
        tokens = kept.float().unflatten(1, model.network.grid[1:]) if seen.needs_grid else kept.float()
        with torch.no_grad():
            scores = model.network.probe(tokens[None]).softmax(-1)[0]
        assert scores.max() > 0.4
        torch.testing.assert_close(model.predict(record.path).scores.float(), scores, rtol=0, atol=0.02)


def test_controls_are_the_clip_s_tokens_in_another_order(tmp_path):
    options = {"encoder": "test_efficientnet"}
    network = Architecture(network="encoder", options=options, frames=3, size=64).build(classes=1)
    fitted = token_fit("token_learner", [{"full": tmp_path / "a"}], network, classes=4)
    orders = frame_orders(3)
    assert fitted.ways["plain"].order is None
    assert {name: way.order for name, way in fitted.ways.items() if name != "plain"} == {
        name: tuple(orders[name].tolist()) for name in ("shuffled", "reversed")
    }
    assert all(way.grid == network.grid[1:] for way in fitted.ways.values())
    assert token_fit("attentive", [{"cells_2": tmp_path / "a"}], network, classes=4).ways["plain"].grid is None
    own = {"network": "vivit", "options": {"tubelet": [2, 8, 8], "width": 12, "depth": 1, "heads": 2}}
    together = Architecture(network="own", options=own, frames=4, size=16).build(classes=1)
    files = {name: tmp_path / name for name in ("cells_2", "cells_2.shuffled", "cells_2.reversed")}
    fitted = token_fit("attentive", [files], together, classes=2)
    assert {name: (way.paths, way.order) for name, way in fitted.ways.items()} == {
        "plain": ([files["cells_2"]], None),
        "shuffled": ([files["cells_2.shuffled"]], None),
        "reversed": ([files["cells_2.reversed"]], None),
    }


def test_how_far_the_training_of_probes_is_is_said(monkeypatch):
    """Minutes in which nothing is said look like a command that hangs."""
    told = []

    class Told:
        def __init__(self, words):
            told.append([words])

        def __call__(self, share):
            told[-1].append(share)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            told[-1].append("end")

    monkeypatch.setattr(fit_tokens, "ShareProgress", Told)
    monkeypatch.setattr(fit_tokens, "RECIPE", Recipe(epochs=1, batch=100))
    own = videos()
    tokens = torch.randn(len(own.labels), 3, 1, 64, generator=torch.Generator().manual_seed(0))

    class Kept(TokenFiles):
        def __call__(self, rows):
            return tokens[list(rows)]

    fitting = TokenFit(probe="attentive", ways={"plain": Kept(())}, token_width=64, grid=(3, 1, 1), classes=2)
    fitting.left_out(own, kind="softmax", seed=0)
    fitting.left_out(own, kind="softmax", seed=0, share=2)
    whole, half = told
    assert whole[0] == "training a probe without each fold"
    assert half[0] == "training a probe without each fold, on 1/2 of the clips"
    assert whole[1:-1] == half[1:-1] == pytest.approx([1 / 3, 2 / 3, 1])
    assert whole[-1] == half[-1] == "end"


def test_what_many_clips_are():
    assert probe_note("linear", {0: MANY - 1, 1: 90}, ("a", "b")) is None
    assert "every class has 50 clips or more: --probe attentive and --finetune" in str(
        probe_note("linear", {0: MANY}, ("a",))
    )
    assert "note: b has 49 clips" in str(probe_note("attentive", {0: 90, 1: MANY - 1}, ("a", "b")))
    assert probe_note("attentive", {0: MANY}, ("a",)) is None


def test_fine_tuning_starts_from_a_linear_probe(desk, tmp_path):
    with pytest.raises(ConfigError, match=r"--finetune starts from the linear probe: leave --probe attentive out"):
        run_fit(desk / "clips", out=tmp_path, probe="attentive", finetune="once")
