"""The parts of a step add up to the step."""

import time

import pytest
import torch

from vidtok.train.timing import FIRST, REST, DeviceClock, StepTimer, mean_parts

CPU = torch.device("cpu")


def timed_steps(timer, steps):
    for _ in range(steps):
        with timer(FIRST):
            time.sleep(0.01)
        for _ in range(2):  # as with accumulated gradients
            with timer("forward"):
                time.sleep(0.02)
        time.sleep(0.005)


def test_parts_add_up_to_the_time_between_beginnings():
    begun = []
    timer = StepTimer(device=CPU, at_step=begun.append)
    start = time.perf_counter()
    timed_steps(timer, 4)
    seconds = time.perf_counter() - start
    assert begun == [0, 1, 2, 3]
    (steps,) = timer.seconds(0, 3)
    assert [list(step) for step in steps] == [[FIRST, "forward", REST]] * 3
    assert all(step[FIRST] >= 0.01 and step["forward"] >= 0.04 and step[REST] >= 0.005 for step in steps)
    assert 3 * 0.055 <= sum(sum(step.values()) for step in steps) <= seconds


def test_what_happens_at_a_step_counts_for_it():
    timer = StepTimer(device=CPU, at_step=lambda step: time.sleep(0.2 if step == 1 else 0))
    timed_steps(timer, 3)
    first, second = timer.seconds(0, 2)[0]
    assert second[REST] >= 0.2
    assert first[REST] < second[REST]


def test_steps_that_have_not_ended_cannot_be_asked_for():
    timer = StepTimer(device=CPU)
    timed_steps(timer, 2)
    for first, stop in ((0, 2), (-1, 1), (1, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"steps {first} to {stop} are not among the 2"):
            timer.seconds(first, stop)
    assert len(timer.seconds(0, 1)[0]) == 1


def test_parts_have_their_names_in_torchs_profiler():
    timer = StepTimer(device=CPU)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as trace:
        timed_steps(timer, 1)
    assert {FIRST, "forward"} <= {each.key for each in trace.key_averages()}


def test_means_count_steps_that_lack_a_part():
    means = mean_parts([{"a": 1.0, REST: 3.0}, {"a": 2.0, "log": 4.0, REST: 1.0}])
    assert means == {"a": 1.5, "log": 2.0, REST: 2.0}
    assert list(means) == ["a", "log", REST]


class Event(torch.cuda.Event):
    """As torch's on a GPU, whose time in milliseconds is set by the test."""

    now = 0.0

    def __new__(cls, enable_timing=False):
        return torch._C._CudaEventBase.__new__(cls, enable_timing=enable_timing)

    def __init__(self, enable_timing=False):
        self.timing = enable_timing

    def record(self, stream=None):
        assert self.timing, "an event without a time"
        assert stream == "the stream of cuda:1"
        self.at = Event.now

    def elapsed_time(self, end_event):
        return end_event.at - self.at


def test_the_gpus_clock_counts_milliseconds_and_gives_seconds(monkeypatch):
    waited_for = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    monkeypatch.setattr(torch.cuda, "synchronize", waited_for.append)
    monkeypatch.setattr(Event, "now", 1000.0)
    device = torch.device("cuda:1")
    clock = DeviceClock(device)
    start = clock.mark()
    Event.now += 250
    assert clock.seconds(start, clock.mark()) == 0.25

    timer = StepTimer(device=device)
    for _ in range(2):
        with timer(FIRST):
            Event.now += 30
        Event.now += 500
    cpu, gpu = timer.seconds(0, 1)
    assert gpu == [pytest.approx({FIRST: 0.03, REST: 0.5})]
    assert sum(cpu[0].values()) < 0.25  # the processor's own
    assert waited_for == [device]


@pytest.mark.gpu
def test_the_clock_of_a_gpu_tells_what_a_wait_has_cost():
    device = torch.device("cuda")
    clock, big = DeviceClock(device), torch.randn(4096, 4096, device=device)
    for _ in range(3):
        big @ big
    torch.cuda.synchronize()

    def waited(products):
        for _ in range(products):
            big @ big
        start = clock.mark()
        time.sleep(0.02)
        stop = clock.mark()
        torch.cuda.synchronize()
        return clock.seconds(start, stop)

    assert waited(0) > 0.015
    assert waited(300) < 0.005  # the GPU had enough to do meanwhile
