"""The words about a bottleneck, for times that are given."""

import pytest

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.runs.profile_sample import SampleTimes
from vidtok.runs.profile_words import bottleneck

SAMPLE = SampleTimes(parts={"open": 0.01, "decode": 0.03, "rest": 0.002}, clips=8)


def words(means, *changes, sample=SAMPLE, on_gpu=False):
    config = load_config("configs/motion_vivit_tl8.yaml", ["data.workers=1", *changes])
    means = {"wait for data": 0.0, "to device": 0.0, "forward": 0.0, "loss": 0.0, "backward": 0.0, **means, "rest": 0.0}
    return bottleneck(means, sample, config, clips=8.0, on_gpu=on_gpu, top="aten::mm with 40%")


def test_words_for_waiting(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("vidtok.build_data.usable_cores", lambda: 4)
    told = words({"wait for data": 0.6, "forward": 0.2, "backward": 0.2})
    assert told == (
        "bottleneck: the data: a step waits for it 60% of its time; 1 worker makes 8.0 clips/s, the rest of a step "
        "could take 20.0. Most of a clip's time in a worker is `decode` (71%). To change it: raise data.workers (now "
        "1, of 4 cores), or prepare the videos with tools/prepare_videos.py, or set data.crop_in=yuv, or set "
        "data.repeats=2"
    )
    told = words({"wait for data": 0.6, "forward": 0.4}, "data.workers=4", "data.crop_in=yuv", "data.repeats=2")
    assert "4 workers make" in told
    assert "crop_in" not in told
    heavy = SampleTimes(parts={"decode": 0.01, "augment": 0.03, "rest": 0.002}, clips=8)
    assert "To change it: lighten data.augment, or raise data.workers" in words(
        {"wait for data": 0.9, "forward": 0.1}, sample=heavy
    )
    assert "data.workers" not in told


def test_words_for_the_network(monkeypatch):
    monkeypatch.chdir(ROOT)
    means = {"wait for data": 0.1, "forward": 0.3, "backward": 0.5, "optimizer": 0.1}
    told = words(means)
    assert told.startswith("bottleneck: the network: forward and backward passes take 80% of a step, the wait for data")
    assert "aten::mm with 40%" in told
    assert "a GPU" in told
    told = words(means, "train.checkpoint_blocks=true", on_gpu=True)
    assert "train.precision=bf16, or train.compile=true, or train.checkpoint_blocks=false" in told
    assert "train.precision" not in words(means, "train.precision=bf16", on_gpu=True)


@pytest.mark.parametrize(("part", "key"), [("optimizer", "train.batch"), ("log", "train.log_every")])
def test_words_for_other_parts(monkeypatch, part, key):
    monkeypatch.chdir(ROOT)
    told = words({"forward": 0.1, "backward": 0.1, part: 0.6})
    assert told.startswith(f"bottleneck: {part} takes 75% of a step")
    assert key in told
