"""The words about a bottleneck, for times that are given."""

import pytest
from torch.profiler import ProfilerActivity, profile

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.runs.profile_sample import SampleTimes
from vidtok.runs.profile_steps import StepTimes
from vidtok.runs.profile_words import bottleneck, operator_table, sample_table, step_table, top_operator

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


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("optimizer", "train.batch"),
        ("averages", "train.batch"),
        ("log", "train.log_every"),
        ("to device", "data.size"),
        ("another", "trace.json.gz shows"),
    ],
)
def test_words_for_other_parts(monkeypatch, part, key):
    monkeypatch.chdir(ROOT)
    told = words({"forward": 0.1, "backward": 0.1, part: 0.6})
    assert told.startswith(f"bottleneck: {part} takes 75% of a step")
    assert key in told


def test_a_network_that_has_all_of_it_could_be_smaller(monkeypatch):
    monkeypatch.chdir(ROOT)
    means = {"forward": 0.5, "backward": 0.5}
    told = words(means, "train.compile=true", "train.precision=bf16", on_gpu=True)
    assert "To change it: a smaller network" in told
    assert "train.compile" not in words(means, "train.parallel=fsdp2", on_gpu=True)


def times(*clocks):
    return StepTimes(clocks=clocks, trace=profile(activities=[ProfilerActivity.CPU]), clips=8.0)


def test_steps_as_a_table_on_the_clock_that_counts():
    steps = [
        {"wait for data": 0.1, "forward": 0.3, "rest": 0.0},
        {"wait for data": 0.1, "forward": 0.1, "rest": 0.0},
        {"wait for data": 0.1, "forward": 0.05, "rest": 0.0},
    ]
    first, heads, *lines = step_table(times(steps))
    assert first == (
        "a step of 8 clips takes 250.0 ms: 32.0 clips/s (mean of 3 steps, median 200.0 ms, 150.0 ms to 400.0 ms)"
    )
    assert heads.split() == ["part", "processor"]
    assert [line.split() for line in lines] == [
        ["wait", "for", "data", "100.0", "ms", "40%"],
        ["forward", "150.0", "ms", "60%"],
        ["rest", "0.0", "ms", "0%"],
    ]
    assert len({len(line) for line in lines}) == 1
    _, heads, *lines = step_table(times(steps, [{"wait for data": 0.0, "forward": 0.5}] * 3))
    assert heads.split() == ["part", "processor", "GPU"]
    assert [line.split()[-5:] for line in lines] == [
        ["100.0", "ms", "0.0", "ms", "0%"],
        ["150.0", "ms", "500.0", "ms", "100%"],
        ["0.0", "ms", "0.0", "ms", "0%"],
    ]


def test_samples_and_operators_as_tables(monkeypatch):
    assert sample_table(None) == ["no video could be read"]
    first, *lines = sample_table(SAMPLE)
    assert first == "a clip takes 42.0 ms in a worker (mean of 8 clips, read before by the disk)"
    assert [line.split() for line in lines] == [
        ["open", "10.0", "ms", "24%"],
        ["decode", "30.0", "ms", "71%"],
        ["rest", "2.0", "ms", "5%"],
    ]
    rows = [("aten::mm", 3, 0.3), *((f"aten::op{k}", 1, 0.01) for k in range(10))]
    monkeypatch.setattr("vidtok.runs.profile_words.operators", lambda times: rows)
    first, *lines = operator_table(times([{}]))
    assert first == "heaviest operators (under torch's profiler, 3 steps, without what they call)"
    assert len(lines) == 8
    assert lines[0].split() == ["aten::mm", "3", "calls", "300.0", "ms", "a", "step"]
    assert top_operator(times([{}])) == "aten::mm with 75% of all operators' time"
