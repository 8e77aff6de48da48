"""Training and testing go round broken kernels, and say so."""

import json
from dataclasses import replace

import pytest
import torch

from tests.conftest import small_run
from tests.models.simulated import simulate
from vidtok.errors import ConfigError
from vidtok.models.create import create_model
from vidtok.runs import kernels as runs_kernels
from vidtok.runs.kernels import try_kernels
from vidtok.runs.test import run_test
from vidtok.runs.train import run_train
from vidtok.train.parallel import Parallel

ALONE = Parallel(device=torch.device("cpu"))


def tiny(size):
    return create_model("vivit", classes=3, frames=4, size=size, width=24, depth=1, heads=2)


def not_finite(at: str):
    return lambda what, value, weight: value * torch.nan if what == at else value


def test_a_run_in_bf16_trains_and_is_tested_in_spite_of_a_broken_kernel(tmp_path, motion, monkeypatch, capsys):
    _, cfg, *overrides = small_run(motion, tmp_path / "run")
    overrides += ["train.precision=bf16", "train.steps=2", "run.device=cpu", "data.workers=0"]
    simulate(monkeypatch)["linear"] = not_finite("weight")
    assert run_train(cfg, overrides).finished
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    warnings = [event["text"] for event in events if event["event"] == "warning"]
    told = [text for text in warnings if "the gradient of the weight is not finite in bfloat16" in text]
    assert told
    assert all("computed in float32 instead" in text for text in told)
    assert all(event["gradient_norm"] is not None for event in events if event["event"] == "train")

    simulate(monkeypatch)["linear"] = not_finite("output")
    capsys.readouterr()
    run_test(tmp_path / "run", ["eval.clips=1", "eval.crops=1"])
    assert "warning: network." in (said := capsys.readouterr().out)
    assert "the output is not finite in bfloat16" in said


@pytest.mark.parametrize(("precision", "found"), [("float32", False), ("fp16", False), ("bf16", True)])
def test_kernels_of_the_runs_own_precision_are_tried(monkeypatch, precision, found):
    """In fp16 a CPU computes in float32."""
    simulate(monkeypatch)["linear"] = not_finite("output")
    model = tiny((32, 48))
    assert bool(try_kernels(model, ALONE, precision=precision, backward=False)) == found


def test_weights_that_are_kept_in_low_precision_cannot_go_round(monkeypatch):
    class Both(Parallel):
        def gather(self, thing):
            return [["a line"], ["a line", "another"]]

    model = tiny(32)
    monkeypatch.setattr(runs_kernels, "avoid_broken_kernels", lambda *_, **__: ["a line"])
    two = Both(device=torch.device("cpu"), world=2)
    assert try_kernels(model, two, precision="bf16", backward=True) == ["a line", "another"]
    sharded = replace(two, form="fsdp2")
    assert try_kernels(model, sharded, precision="bf16", backward=True) == ["a line", "another"]
    monkeypatch.setattr(torch, "zeros", lambda *shape, device, **_: torch.empty(shape, device="meta"))
    with pytest.raises(ConfigError, match=r"train\.parallel=ddp.*: a line"):
        try_kernels(model, replace(sharded, device=torch.device("cuda")), precision="bf16", backward=True)
