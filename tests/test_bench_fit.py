"""The bench of token reductions runs, resumes from what it kept, and its table says what it measured."""

import json
from dataclasses import replace
from typing import get_args

import pytest

from tests.conftest import ROOT
from tests.opened import opened
from tests.runs.own_clips import ENCODER, encoder_file, own_clips
from vidtok.choices import Summary


@pytest.fixture(scope="module")
def bench():
    with opened(ROOT / "tools" / "bench_fit.py") as module:
        yield module


@pytest.mark.slow
def test_a_set_is_encoded_once_and_rows_are_measured_once(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FRAMES", 4)
    own_clips(tmp_path / "clips", each=4)
    encoder = f"{ENCODER}={encoder_file(tmp_path / 'encoder.safetensors')}"
    out = tmp_path / "reduction.json"
    arguments = [f"own={tmp_path / 'clips'}", "--work", str(tmp_path / "work"), "--json", str(out), "--folds", "2"]
    arguments += ["--encoder", encoder, "--epochs", "1"]
    bench.main([*arguments, "--rows", "linear [!f]*", "divisions *", "--divisions", "2"])
    assert {path.name.count(".") for path in (tmp_path / "work/features").iterdir()} == {1}, "no row looked at tokens"
    linear = json.loads(out.read_text("utf-8"))
    assert {each["kept"] for each in linear if each["probe"] == "linear"} == set(get_args(Summary))
    chosen, pooled = (each for each in linear if each["probe"] == "linear, 2 divisions")
    assert (chosen["kept"], pooled["kept"]) == ("what fit chooses", "time")
    assert chosen["top1"] >= 0.8
    assert 0 <= chosen["spread"] < 0.3
    assert f"| {chosen['top1']:.3f} ± {chosen['spread']:.3f} (" in out.with_suffix(".md").read_text("utf-8")
    assert next(each for each in linear if each["kept"] == "mean")["top1"] >= 0.8, "colours are told apart"
    bench.main(arguments)
    both = json.loads(out.read_text("utf-8"))
    assert both[: len(linear)] == linear
    assert [each["kept"] for each in both[len(linear) :] if each["probe"] == "linear"] == ["frames"]
    assert {each["kept"] for each in both if each["probe"] == "positions and class token"} == {
        "full", "mean", "cells_2", "super_tokens_2"
    }  # fmt: skip
    learners = [each["probe"] for each in both if "TokenLearner" in each["probe"]]
    assert learners == [f"TokenLearner{kind}, {n} tokens" for kind in ("", ", nested") for n in (1, 2, 4, 8, 16)]
    sizes = {each["kept"]: each["bytes"] for each in both if each["probe"] != "linear"}
    assert sizes["full"] == 49 * sizes["mean"] == 4 * 49 * 256 * 2
    assert sizes["cells_2"] == sizes["super_tokens_2"] == 4 * sizes["mean"]
    page = out.with_suffix(".md").read_text("utf-8")
    row = next(each for each in both if each["kept"] == "motion")
    assert f"| motion | linear | 400 | {row['top1']:.3f} ({row['seconds']:.0f} s) |" in page
    monkeypatch.setattr("vidtok.infer.summarise.clip_summaries", None)
    again = [figures for figures in both if figures["row"] != "linear frames"]
    out.write_text(json.dumps(again))
    bench.main(arguments)
    found = json.loads(out.read_text("utf-8"))
    assert found[:-1] == again
    assert found[-1]["top1"] == next(each for each in both if each["row"] == "linear frames")["top1"]


def kept(bench, videos, *, parts=(), vectors=(), paired=False, given=None):
    """A set without tokens."""
    return bench.Set(
        name="x",
        videos=videos,
        parts=parts,
        vectors=vectors,
        tokens={},
        frames=1,
        grid=(1, 1),
        paired=paired,
        given=given,
    )


def test_the_folds_of_a_list_are_numbered(bench, tmp_path):
    (tmp_path / "a.csv").write_text("path,label,fold\na,x,s2\nb,y,s1\nc,x,s2\n")
    (tmp_path / "b.csv").write_text("path,label\na,x\n")
    assert bench.given_folds(tmp_path / "a.csv") == [1, 0, 1]
    assert bench.given_folds(tmp_path / "b.csv") is None


@pytest.mark.slow
def test_what_is_left_out_is_what_the_list_says(bench):
    """Folds of which each holds one class whole leave nothing to know it by."""
    import torch

    from vidtok.train.nested import Videos

    labels = [(k % 2,) for k in range(12)]
    videos = Videos(labels=labels, groups=list(range(12)), folds=[k % 3 for k in range(12)], classes=2)
    vectors = [
        {f"plain.{part}": torch.tensor([own[0] * 2.0 - 1, k / 12]) for part in ("mean", "time", "maps", "motion")}
        for k, own in enumerate(labels)
    ]
    own = kept(bench, videos, vectors=vectors, given=[k // 6 for k in range(12)])
    (right,) = bench.by_given_folds(own)
    assert (right["top1"], right["spread"], right["bytes"]) == (1.0, pytest.approx(1 / 13 / 2), 4 * 2 * 4)
    (wrong,) = bench.by_given_folds(replace(own, given=[label[0] for label in labels]))
    assert wrong["top1"] == 0.0
    assert bench.by_given_folds(replace(own, given=None)) == [], "a list without folds has no such row"
    assert bench.divided(replace(own, paired=True), 2) == [], "nor has a set whose test clips are given"


def test_the_opposite_of_a_class_is_its_pair(bench):
    import torch

    from vidtok.train.nested import Videos

    videos = Videos(labels=[(0,), (1,), (2,), (3,)], groups=[0, 1, 2, 3], folds=[0, 0, 1, 1], classes=4)
    own = kept(bench, videos, parts=[([0, 1], [3, 2])], paired=True)
    plain, backwards = torch.eye(4)[[3, 2]], torch.eye(4)[[2, 2]]
    assert bench.figures(own, plain, backwards) == {"top1": 1.0, "reversed": 0.5, "opposite": 0.5}
