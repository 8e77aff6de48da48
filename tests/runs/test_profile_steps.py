"""The pieces of a timed run; tests/runs/test_profile_train.py runs the whole."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tests.conftest import ROOT
from vidtok.config_io import load_config
from vidtok.runs.profile_steps import TRACED, StepTimes, counted, operators, sample_batches, with_train
from vidtok.types import Batch


@pytest.fixture
def config():
    return load_config(ROOT / "configs/motion_vivit_tl8.yaml")


def batch(clips: int) -> Batch:
    views = torch.zeros(clips, 1, 2, 3, 4, 4, dtype=torch.uint8)
    return Batch(
        views=views, labels=((0,),) * clips, indices=tuple(range(clips)), video_ids=tuple(map(str, range(clips)))
    )


def test_operators_are_those_of_one_traced_step_the_heaviest_first():
    large, small = torch.rand(400, 400), torch.rand(4, 4)
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(TRACED):
            large @ large
            small.exp().exp()
    times = StepTimes(clocks=[[{"forward": 1.0}]], trace=trace, clips=1.0)
    found = operators(times)
    calls = {name: count for name, count, _ in found}
    assert found[0][0] == "aten::mm"
    assert calls["aten::mm"] == 1
    assert calls["aten::exp"] == 2
    seconds = [each for _, _, each in found]
    assert seconds == sorted(seconds, reverse=True)


def test_spans_of_the_loop_are_no_operators():
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        torch.rand(8, 8) @ torch.rand(8, 8)
    times = StepTimes(clocks=[[{"aten::mm": 1.0}]], trace=trace, clips=1.0)
    assert "aten::mm" not in {name for name, _, _ in operators(times)}


def test_batches_pass_and_are_counted():
    clips: list[int] = []
    passed = list(counted([batch(3), batch(0), batch(2)], clips))
    assert [len(each) for each in passed] == clips == [3, 0, 2]


def test_other_values_leave_the_config_as_it_was(config):
    changed = with_train(config, steps=7)
    assert (changed.train.steps, config.train.steps) == (7, 750)
    assert changed.data == config.data


def test_samples_come_four_videos_at_a_time_without_workers(config, motion):
    from vidtok.build import build_lists
    from vidtok.train.parallel import Parallel

    lists = {"train": str(motion / "train.csv"), "val": str(motion / "val.csv"), "classes": str(motion / "classes.txt")}
    config = config.model_copy(update={"data": config.data.model_copy(update={**lists, "repeats": 2})})
    batches = sample_batches(config, build_lists(config), Parallel(device=torch.device("cpu")))
    first = next(iter(batches))
    assert len(first) == 8
    assert len(set(first.indices)) == 4
