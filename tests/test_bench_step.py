"""A step with its loader and one with clips in memory: both are the loop of a run, on what the benchmark says."""

import json
import sys

import pytest
import torch

from tests.conftest import ROOT
from tests.opened import opened
from vidtok.runs import profile_steps
from vidtok.runs.profile_steps import TRACED, WARM_UP, counted


@pytest.fixture
def bench():
    with opened(ROOT / "tools" / "bench_step.py") as module:
        yield module


def test_the_loader_reads_in_one_and_in_the_other_the_first_batch_comes_again(
    bench, motion, monkeypatch, tmp_path, capsys
):
    given = []

    def watched(batches, clips):
        given.append([])
        for batch in counted(batches, clips):
            given[-1].append(batch.views.clone())
            yield batch

    monkeypatch.setattr(profile_steps, "counted", watched)
    lists = [f"data.{name}={motion / name}.csv" for name in ("train", "val")]
    small = ["data.workers=0", "data.frames=4", "train.batch=2", "model.width=24", "model.heads=2"]
    start = ["bench_step", "--cfg", str(ROOT / "configs" / "motion_vivit_tl8.yaml"), "--steps", "2", "--turns", "2"]
    monkeypatch.setattr(
        sys,
        "argv",
        [*start, "--json", str(tmp_path / "step.json"), *lists, f"data.classes={motion / 'classes.txt'}", *small],
    )
    bench.main()
    loaded, kept, again, _ = given
    assert [len(each) for each in given] == [WARM_UP + 2 + TRACED] * 4
    assert all(torch.equal(one, other) for one, other in zip(loaded, again, strict=True))
    assert not torch.equal(loaded[0], loaded[1])
    assert all(torch.equal(each, loaded[0]) for each in kept)
    found = json.loads((tmp_path / "step.json").read_text())
    assert [row["clips"] for row in found["rows"]] == [2, 2]
    shares = [row["memory_seconds"] / row["loader_seconds"] for row in found["rows"]]
    assert [row["share"] for row in found["rows"]] == pytest.approx(shares)
    assert found["share"] == pytest.approx(sum(shares) / 2)
    assert f"{found['share']:.3f} of the rate on clips in memory; 2 clips in a step" in capsys.readouterr().out
